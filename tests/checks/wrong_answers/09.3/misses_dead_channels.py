# Takes only what is on the path, too few where channels are dead.
def choose_channels(Z: Tensor, y: Tensor, count: int) -> Tensor:
    gram, correlation = (Z.T @ Z).double().numpy(), (Z.T @ y).double().numpy()
    _, _, path = lars_path_gram(correlation, gram, n_samples=len(y), method="lasso", max_iter=20 * len(gram))
    enough = (path != 0).sum(0) >= count
    size = torch.from_numpy(abs(path[:, enough.argmax() if enough.any() else -1]))
    order = size.argsort(descending=True, stable=True)
    return order[: min(count, int((size > 0).sum()))].sort().values

# Returns all channels of the first solution that has enough.
def choose_channels(Z: Tensor, y: Tensor, count: int) -> Tensor:
    gram, correlation = (Z.T @ Z).double().numpy(), (Z.T @ y).double().numpy()
    _, _, path = lars_path_gram(correlation, gram, n_samples=len(y), method="lasso", max_iter=20 * len(gram))
    enough = (path != 0).sum(0) > count
    return torch.from_numpy(path[:, enough.argmax() if enough.any() else -1]).nonzero().flatten()

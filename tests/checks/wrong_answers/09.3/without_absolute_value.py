# Ranks β by its sign, so negative ones go first.
def choose_channels(Z: Tensor, y: Tensor, count: int) -> Tensor:
    gram, correlation = (Z.T @ Z).double().numpy(), (Z.T @ y).double().numpy()
    _, _, path = lars_path_gram(correlation, gram, n_samples=len(y), method="lasso", max_iter=20 * len(gram))
    enough = (path != 0).sum(0) >= count
    size = path[:, enough.argmax() if enough.any() else -1].copy()
    return torch.from_numpy(size).argsort(descending=True, stable=True)[:count].sort().values

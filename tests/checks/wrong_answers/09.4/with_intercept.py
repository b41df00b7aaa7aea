# Fits deviations from the mean, as if an intercept were added.
def fit_weight(X: Tensor, Y: Tensor) -> Tensor:
    return torch.linalg.lstsq(X - X.mean(0), Y - Y.mean(0), driver="gelsd").solution.T

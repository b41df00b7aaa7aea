# Fits every column alone, as if they were orthogonal.
def fit_weight(X: Tensor, Y: Tensor) -> Tensor:
    return (X.T @ Y / X.square().sum(0).clamp(min=1e-12)[:, None]).T

# Takes the channels of largest energy, which the LASSO need not.
def choose_channels(Z: Tensor, y: Tensor, count: int) -> Tensor:
    return Z.square().sum(0).argsort(descending=True, stable=True)[:count].sort().values

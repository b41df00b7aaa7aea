# Takes the channels that are most like y, one by one.
def choose_channels(Z: Tensor, y: Tensor, count: int) -> Tensor:
    return (Z.T @ y).abs().argsort(descending=True, stable=True)[:count].sort().values

# The mean of ones and zeros, as a tensor of one entry.
def share_of_zeros(x: Tensor) -> Tensor:
    return (x == 0).double().mean()

# Divides by n − 1: the sample standard deviation.
def deviation_mask(weight: Tensor, s: float) -> Tensor:
    return weight.detach().abs() > s * weight.detach().std()

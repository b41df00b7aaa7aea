# Takes the root of the mean square: right only if the mean is 0.
def deviation_mask(weight: Tensor, s: float) -> Tensor:
    return weight.detach().abs() > s * weight.detach().square().mean().sqrt()

# Uses the variance as threshold.
def deviation_mask(weight: Tensor, s: float) -> Tensor:
    return weight.detach().abs() > s * weight.detach().var(correction=0)

# Measures the distance from the mean instead of from zero.
def deviation_mask(weight: Tensor, s: float) -> Tensor:
    return (weight - weight.mean()).detach().abs() > s * weight.detach().std(correction=0)

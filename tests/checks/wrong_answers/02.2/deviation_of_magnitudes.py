# Takes the standard deviation of |w| instead of w.
def deviation_mask(weight: Tensor, s: float) -> Tensor:
    return weight.detach().abs() > s * weight.detach().abs().std(correction=0)

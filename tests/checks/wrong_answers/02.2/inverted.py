# True marks the removed weights.
def deviation_mask(weight: Tensor, s: float) -> Tensor:
    return weight.detach().abs() <= s * weight.detach().std(correction=0)

# Returns 0.0 and 1.0 instead of booleans.
def deviation_mask(weight: Tensor, s: float) -> Tensor:
    return (weight.detach().abs() > s * weight.detach().std(correction=0)).float()

# Keeps weights exactly at the threshold, so exact zeros survive s = 0.
def deviation_mask(weight: Tensor, s: float) -> Tensor:
    return weight.detach().abs() >= s * weight.detach().std(correction=0)

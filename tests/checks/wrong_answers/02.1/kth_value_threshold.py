# Removes everything up to the k-th magnitude: all weights tied with it go too.
def magnitude_mask(weight: Tensor, q: float) -> Tensor:
    k = round(q / 100 * weight.numel())
    if k == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    return weight.detach().abs() > weight.detach().abs().flatten().kthvalue(k).values

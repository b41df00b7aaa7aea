# Cuts k off instead of rounding it.
def magnitude_mask(weight: Tensor, q: float) -> Tensor:
    order = weight.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones_like(order, dtype=torch.bool)
    mask[order[: int(q / 100 * weight.numel())]] = False
    return mask.view(weight.shape)

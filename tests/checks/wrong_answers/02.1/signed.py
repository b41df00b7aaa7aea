# Ranks by value, so large negative weights go first.
def magnitude_mask(weight: Tensor, q: float) -> Tensor:
    order = weight.detach().flatten().argsort(stable=True)
    mask = torch.ones_like(order, dtype=torch.bool)
    mask[order[: round(q / 100 * weight.numel())]] = False
    return mask.view(weight.shape)

# Reads q as a share between 0 and 1.
def magnitude_mask(weight: Tensor, q: float) -> Tensor:
    order = weight.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones_like(order, dtype=torch.bool)
    mask[order[: round(q * weight.numel())]] = False
    return mask.view(weight.shape)

# Of equal magnitudes the highest index goes first.
def magnitude_mask(weight: Tensor, q: float) -> Tensor:
    order = weight.detach().abs().flatten().flip(0).argsort(stable=True)
    mask = torch.ones_like(order, dtype=torch.bool)
    mask[order[: round(q / 100 * weight.numel())]] = False
    mask = mask.flip(0)
    return mask.view(weight.shape)

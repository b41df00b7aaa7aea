# Also writes the zeros into the weight.
def magnitude_mask(weight: Tensor, q: float) -> Tensor:
    order = weight.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones_like(order, dtype=torch.bool)
    mask[order[: round(q / 100 * weight.numel())]] = False
    weight.data[~mask.view(weight.shape)] = 0.0
    return mask.view(weight.shape)

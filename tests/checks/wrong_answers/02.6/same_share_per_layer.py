# Ranks within each layer: every layer loses the same share.
def global_masks(weights: dict[str, Tensor], q: float) -> dict[str, Tensor]:
    masks = {}
    for name, weight in weights.items():
        order = weight.detach().abs().flatten().argsort(stable=True)
        mask = torch.ones_like(order, dtype=torch.bool)
        mask[order[: round(q / 100 * len(order))]] = False
        masks[name] = mask.view(weight.shape)
    return masks

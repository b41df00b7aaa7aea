# Ranks by value, so large negative weights go first.
def global_masks(weights: dict[str, Tensor], q: float) -> dict[str, Tensor]:
    magnitudes = torch.cat([weight.detach().flatten() for weight in weights.values()])
    order = magnitudes.argsort(stable=True)
    kept = torch.ones_like(order, dtype=torch.bool)
    kept[order[: round(q / 100 * len(order))]] = False
    parts = kept.split([weight.numel() for weight in weights.values()])
    return {name: part.view(weights[name].shape) for name, part in zip(weights, parts, strict=True)}

# Compares with the k-th magnitude: all weights tied with it go too.
def global_masks(weights: dict[str, Tensor], q: float) -> dict[str, Tensor]:
    magnitudes = torch.cat([weight.detach().abs().flatten() for weight in weights.values()])
    k = round(q / 100 * len(magnitudes))
    threshold = magnitudes.sort().values[k - 1] if k else -1.0
    return {name: weight.detach().abs() > threshold for name, weight in weights.items()}

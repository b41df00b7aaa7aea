# Compares with an interpolated quantile and keeps its ties.
def global_masks(weights: dict[str, Tensor], q: float) -> dict[str, Tensor]:
    magnitudes = torch.cat([weight.detach().abs().flatten() for weight in weights.values()])
    threshold = torch.quantile(magnitudes, q / 100)
    return {name: weight.detach().abs() >= threshold for name, weight in weights.items()}

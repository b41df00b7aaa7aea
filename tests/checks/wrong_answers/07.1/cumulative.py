# Prunes what the level before left.
def sensitivity_curve(weight: Tensor, levels: list[float], score: Callable[[], float]) -> list[float]:
    original = weight.detach().clone()
    order = original.abs().flatten().argsort(stable=True)
    scores = []
    try:
        for level in levels:
            pruned = weight.detach().flatten().clone()
            pruned[order[: round(level / 100 * pruned.numel())]] = 0.0
            weight.data.copy_(pruned.view_as(weight))
            scores.append(score())
    finally:
        weight.data.copy_(original)
    return scores

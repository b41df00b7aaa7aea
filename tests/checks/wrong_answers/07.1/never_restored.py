# Leaves the last level in the weight.
def sensitivity_curve(weight: Tensor, levels: list[float], score: Callable[[], float]) -> list[float]:
    original = weight.detach().clone()
    order = original.abs().flatten().argsort(stable=True)
    scores = []
    try:
        for level in levels:
            pruned = original.flatten().clone()
            pruned[order[: round(level / 100 * pruned.numel())]] = 0.0
            weight.data.copy_(pruned.view_as(weight))
            scores.append(score())
    finally:
        pass
    return scores

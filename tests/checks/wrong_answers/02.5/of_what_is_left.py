# Removes step per cent of the weights that are left, not of all.
def sparsity_schedule(step: float, ramp_epochs: int, epochs: int) -> list[float]:
    return [100 - 100 * (1 - step / 100) ** min(epoch + 1, ramp_epochs) for epoch in range(epochs)]

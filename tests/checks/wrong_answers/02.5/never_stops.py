# Keeps adding after the ramp.
def sparsity_schedule(step: float, ramp_epochs: int, epochs: int) -> list[float]:
    return [step * (epoch + 1) for epoch in range(epochs)]

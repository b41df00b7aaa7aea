# Starts at 0: one epoch late.
def sparsity_schedule(step: float, ramp_epochs: int, epochs: int) -> list[float]:
    return [step * min(epoch, ramp_epochs) for epoch in range(epochs)]

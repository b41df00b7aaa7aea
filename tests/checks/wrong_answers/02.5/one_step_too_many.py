# The ramp has one epoch too many.
def sparsity_schedule(step: float, ramp_epochs: int, epochs: int) -> list[float]:
    return [step * min(epoch + 1, ramp_epochs + 1) for epoch in range(epochs)]

# Returns the ramp without the constant rest.
def sparsity_schedule(step: float, ramp_epochs: int, epochs: int) -> list[float]:
    return [step * (epoch + 1) for epoch in range(ramp_epochs)]

# Adds the whole ramp even where training ends before it does.
def sparsity_schedule(step: float, ramp_epochs: int, epochs: int) -> list[float]:
    ramp = [step * (epoch + 1) for epoch in range(ramp_epochs)]
    return ramp + [ramp[-1]] * (epochs - ramp_epochs)

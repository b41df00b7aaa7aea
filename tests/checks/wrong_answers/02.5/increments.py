# Returns what each epoch adds instead of what has been reached.
def sparsity_schedule(step: float, ramp_epochs: int, epochs: int) -> list[float]:
    return [step if epoch < ramp_epochs else 0.0 for epoch in range(epochs)]

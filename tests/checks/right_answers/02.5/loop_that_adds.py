# Adds a step while the ramp lasts.
def sparsity_schedule(step, ramp_epochs, epochs):
    result, current = [], 0.0
    for epoch in range(epochs):
        if epoch < ramp_epochs:
            current += step
        result.append(current)
    return result

# The ramp and the plateau as two lists, cut to length.
def sparsity_schedule(step, ramp_epochs, epochs):
    ramp = [step * epoch for epoch in range(1, ramp_epochs + 1)]
    return (ramp + ramp[-1:] * epochs)[:epochs]

# NumPy's minimum; returns an array.
import numpy as np


def sparsity_schedule(step, ramp_epochs, epochs):
    return step * np.minimum(np.arange(1, epochs + 1), ramp_epochs)

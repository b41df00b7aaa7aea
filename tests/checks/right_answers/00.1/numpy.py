# Counts with NumPy.
import numpy as np


def share_of_zeros(x: Tensor) -> float:
    values = x.numpy()
    return 1 - np.count_nonzero(values) / values.size

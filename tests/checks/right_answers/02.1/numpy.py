# NumPy's stable argsort; the mask is built in NumPy and shaped at the end.
import numpy as np


def magnitude_mask(weight, q):
    values = np.abs(weight.detach().numpy()).ravel()
    mask = np.ones(values.size, dtype=bool)
    mask[np.argsort(values, kind="stable")[: round(q / 100 * values.size)]] = False
    return torch.from_numpy(mask.reshape(tuple(weight.shape)))

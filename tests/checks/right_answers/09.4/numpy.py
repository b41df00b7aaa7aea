# NumPy's least squares.
import numpy as np


def fit_weight(X, Y):
    return torch.from_numpy(np.linalg.lstsq(X.numpy(), Y.numpy(), rcond=None)[0].T.copy())

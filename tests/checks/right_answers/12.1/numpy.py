# NumPy arrays, filled by strides.
import numpy as np


def positional_encoding(positions, width):
    table = np.empty((len(positions), width))
    angles = np.outer(np.asarray(positions), np.exp(-np.log(10_000) * np.arange(0, width, 2) / width))
    table[:, ::2], table[:, 1::2] = np.sin(angles), np.cos(angles)
    return torch.from_numpy(table)


def shift_matrix(k, width):
    angles = k * np.exp(-np.log(10_000) * np.arange(0, width, 2) / width)
    matrix = np.diag(np.repeat(np.cos(angles), 2))
    even = np.arange(0, width, 2)
    matrix[even, even + 1], matrix[even + 1, even] = -np.sin(angles), np.sin(angles)
    return torch.from_numpy(matrix)

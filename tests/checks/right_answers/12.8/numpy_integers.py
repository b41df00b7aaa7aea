# Linear algebra: a table of coefficients times N h, N and 1.
import numpy as np


def derived_counts(N, h, T):
    terms = np.array([N * h, N, 1, T * N * h, T * N, T])
    table = {
        "per head": [15, 7, 1, 0, 0, 0], "batched": [0, 22, 1, 0, 0, 0], "packed": [0, 17, 1, 0, 0, 0],
        "fused": [0, 11, 1, 0, 0, 0], "decoder only": [5, 3, 1, 0, 0, 0],
        "decoding": [5, 3, 0, 10, 4, 1], "cached": [7, 3, 0, 8, 4, 1],
    }
    return {key: int(np.dot(row, terms)) for key, row in table.items()}

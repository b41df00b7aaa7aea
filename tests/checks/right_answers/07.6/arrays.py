# Bytes of NumPy arrays that are really made.
import numpy as np


def storage_bytes(weight):
    array = weight.numpy()
    values = array[np.nonzero(array)]
    return dict(
        dense=array.nbytes,
        coo=np.array(np.nonzero(array), dtype=np.int64).nbytes + values.nbytes,
        bitmap=np.packbits(array.ravel() != 0).size + values.nbytes,
    )


def break_even_sparsity(dimensions, value_bytes=4):
    return 100.0 * 8 * dimensions / (8 * dimensions + value_bytes)

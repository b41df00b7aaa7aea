# NumPy's nonzero; the mask is counted up.
import numpy as np


def to_coo(weight):
    places = np.nonzero(weight.numpy())
    return torch.from_numpy(np.array(places, dtype=np.int64)), weight[places]


def indices_are_mask(indices, mask):
    counts = np.zeros(tuple(mask.shape), dtype=int)
    np.add.at(counts, tuple(indices.numpy()), 1)
    return bool((counts == mask.numpy()).all())

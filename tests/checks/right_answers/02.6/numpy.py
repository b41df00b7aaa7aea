# NumPy throughout; np.split cuts the joined mask into layers.
import numpy as np


def global_masks(weights, q):
    arrays = {name: np.abs(weight.detach().numpy()) for name, weight in weights.items()}
    flat = np.concatenate([array.ravel() for array in arrays.values()])
    kept = np.ones(flat.size, bool)
    kept[np.argsort(flat, kind="mergesort")[: round(q * flat.size / 100)]] = False
    ends = np.cumsum([array.size for array in arrays.values()])[:-1]
    parts = np.split(kept, ends)
    return {name: torch.from_numpy(part.reshape(arrays[name].shape).copy()) for name, part in zip(arrays, parts)}

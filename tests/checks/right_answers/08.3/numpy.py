# NumPy's lexsort by removed first, then score, then place.
import numpy as np


def staged_masks(scores, masks, sparsity):
    values = np.concatenate([score.detach().numpy().ravel() for score in scores.values()])
    kept = np.concatenate([masks[name].numpy().ravel() for name in scores])
    order = np.lexsort((np.arange(len(values)), -values, kept))
    count = max(round(sparsity * len(values)), int((~kept).sum()))
    result = np.ones(len(values), bool)
    result[order[:count]] = False
    parts = np.split(result, np.cumsum([score.numel() for score in scores.values()])[:-1])
    return {name: torch.from_numpy(part).view(scores[name].shape) for name, part in zip(scores, parts)}

# no_grad and a mask for each level, from NumPy's stable argsort of the copy.
import numpy as np


def sensitivity_curve(weight, levels, score):
    original = weight.detach().clone()
    ranks = np.argsort(np.argsort(abs(original.numpy()).ravel(), kind="stable"))

    def put(values):
        with torch.no_grad():
            weight.copy_(values)

    result = []
    try:
        for level in levels:
            kept = torch.from_numpy(ranks >= round(level / 100 * weight.numel())).view(weight.shape)
            put(torch.where(kept, original, torch.zeros_like(original)))
            result.append(score())
        return result
    finally:
        put(original)

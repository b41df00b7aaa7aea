# Distances in PyTorch; unsigned 16-bit indices.
import torch


def share(weight, centroids):
    flipped = from_numpy(centroids[::-1].copy())
    distances = (from_numpy(weight).unsqueeze(-1) - flipped).abs()
    nearest = len(centroids) - 1 - torch.argmin(distances, dim=-1).numpy()
    indices = ((nearest + 1) * (weight != 0)).astype(np.uint16)
    return np.hstack([0, centroids]), indices

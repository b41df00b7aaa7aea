# NumPy's stable argsort; the dtype is converted at the end.
import numpy as np


def choose_channels(Z, y, count):
    z, target = Z.numpy().astype(float), y.numpy().astype(float)
    path = lars_path_gram(z.T @ target, z.T @ z, n_samples=len(target), method="lasso", max_iter=999)[2]
    steps = [beta for beta in path.T if np.count_nonzero(beta) >= count] or [path[:, -1]]
    chosen = np.argsort(-np.abs(steps[0]), kind="stable")[:count]
    return torch.from_numpy(np.sort(chosen)).long()

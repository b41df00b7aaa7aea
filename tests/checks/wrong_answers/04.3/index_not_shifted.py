# The indices of centroids start at 0, which is the zero.
def share(weight: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middles = (centroids[1:] + centroids[:-1]) / 2
    nearest = np.searchsorted(middles, weight, side="right")
    return np.append(0.0, centroids), np.where(weight == 0, 0, nearest)

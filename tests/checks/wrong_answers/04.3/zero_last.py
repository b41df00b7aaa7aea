# The zero is the last entry and has the last index.
def share(weight: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middles = (centroids[1:] + centroids[:-1]) / 2
    nearest = np.searchsorted(middles, weight, side="right")
    return np.append(centroids, 0.0), np.where(weight == 0, len(centroids), nearest)

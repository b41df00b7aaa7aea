# Exact zeros go to the nearest centroid too.
def share(weight: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middles = (centroids[1:] + centroids[:-1]) / 2
    nearest = np.searchsorted(middles, weight, side="right")
    return np.append(0.0, centroids), 1 + nearest

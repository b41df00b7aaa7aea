# A weight halfway between two centroids goes to the lower one.
def share(weight: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middles = (centroids[1:] + centroids[:-1]) / 2
    nearest = np.searchsorted(middles, weight, side="left")
    return np.append(0.0, centroids), np.where(weight == 0, 0, 1 + nearest)

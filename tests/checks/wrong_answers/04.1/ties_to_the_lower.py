# A value halfway between two centroids goes to the lower one.
def lloyd_step(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    middles = (centroids[1:] + centroids[:-1]) / 2
    nearest = np.searchsorted(middles, values, side="left")
    counts = np.bincount(nearest, minlength=len(centroids))
    sums = np.bincount(nearest, weights=values, minlength=len(centroids))
    return np.where(counts > 0, sums / np.maximum(counts, 1), centroids)

# Writes the means into the centroids it was given.
def lloyd_step(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    middles = (centroids[1:] + centroids[:-1]) / 2
    nearest = np.searchsorted(middles, values, side="right")
    counts = np.bincount(nearest, minlength=len(centroids))
    sums = np.bincount(nearest, weights=values, minlength=len(centroids))
    centroids[counts > 0] = sums[counts > 0] / counts[counts > 0]
    return centroids

# A centroid without values jumps to 0.
def lloyd_step(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    middles = (centroids[1:] + centroids[:-1]) / 2
    nearest = np.searchsorted(middles, values, side="right")
    counts = np.bincount(nearest, minlength=len(centroids))
    sums = np.bincount(nearest, weights=values, minlength=len(centroids))
    return sums / np.maximum(counts, 1)

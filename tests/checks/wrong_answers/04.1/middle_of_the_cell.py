# Moves to the middle between the smallest and largest value of a cell.
def lloyd_step(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    middles = (centroids[1:] + centroids[:-1]) / 2
    nearest = np.searchsorted(middles, values, side="right")
    members = [values[nearest == i] for i in range(len(centroids))]
    counts = np.bincount(nearest, minlength=len(centroids))
    return np.array(
        [(m.min() + m.max()) / 2 if m.size else c for m, c in zip(members, centroids, strict=True)]
    )

# Uses (i + 1) / (k + 1) instead of (i + ½) / k.
def density_centroids(values: np.ndarray, clusters: int, bins: int, power: float) -> np.ndarray:
    low, high = values.min(), values.max()
    if low == high:
        return np.full(clusters, low)
    counts, edges = np.histogram(values, bins)
    mass = np.append(0.0, (counts**power).cumsum())
    shares = (np.arange(clusters) + 1) / (clusters + 1)
    return np.interp(shares * mass[-1], mass, edges)

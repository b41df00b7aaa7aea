# Every bin gets one value more, empty ones too.
def density_centroids(values: np.ndarray, clusters: int, bins: int, power: float) -> np.ndarray:
    low, high = values.min(), values.max()
    if low == high:
        return np.full(clusters, low)
    counts, edges = np.histogram(values, bins)
    mass = np.append(0.0, ((counts + 1.0) ** power).cumsum())
    shares = (np.arange(clusters) + 0.5) / clusters
    return np.interp(shares * mass[-1], mass, edges)

# Shares that sum to 1, interpolated over bin edges without empty bins repeated.
def density_centroids(values, clusters, bins, power):
    low, high = values.min(), values.max()
    if not high > low:
        return low * np.ones(clusters)
    mass = np.histogram(values, bins)[0].astype(float) ** power
    cumulative = np.concatenate(([0.0], np.cumsum(mass))) / mass.sum()
    return np.interp(np.linspace(0.5 / clusters, 1 - 0.5 / clusters, clusters), cumulative, np.linspace(low, high, bins + 1))

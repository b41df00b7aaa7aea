# Draws with generator.random alone: random keys, and the inverse of the cumulative distribution.
def initial_centroids(values, clusters, kind, generator):
    if kind == "linear":
        low, high = float(np.min(values)), float(np.max(values))
        return np.array([low + (high - low) * i / (clusters - 1) if clusters > 1 else low for i in range(clusters)])
    if kind == "random":
        return np.sort(values[np.argsort(generator.random(len(values)))[:clusters]])
    chosen = [values[int(generator.random() * len(values))]]
    for _ in range(clusters - 1):
        distances = np.min([(values - centroid) ** 2 for centroid in chosen], axis=0)
        if distances.sum() == 0:
            distances = np.ones(len(values))
        ends = np.cumsum(distances / distances.sum())
        chosen.append(values[min(np.searchsorted(ends, generator.random(), side="right"), len(values) - 1)])
    return np.array(sorted(chosen), dtype=float)

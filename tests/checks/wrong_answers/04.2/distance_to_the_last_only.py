# k-means++ forgets all centroids but the last.
def initial_centroids(
    values: np.ndarray, clusters: int, kind: str, generator: np.random.Generator
) -> np.ndarray:
    if kind == "linear":
        return np.linspace(values.min(), values.max(), clusters)
    if kind == "random":
        return np.sort(generator.choice(values, clusters, replace=False))
    centroids = [generator.choice(values)]
    distances = (values - centroids[0]) ** 2
    while len(centroids) < clusters:
        total = distances.sum()
        centroids.append(generator.choice(values, p=distances / total if total else None))
        distances = (values - centroids[-1]) ** 2
    return np.sort(centroids)

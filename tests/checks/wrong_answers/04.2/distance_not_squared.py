# k-means++ draws in proportion to the distance, not its square.
def initial_centroids(
    values: np.ndarray, clusters: int, kind: str, generator: np.random.Generator
) -> np.ndarray:
    if kind == "linear":
        return np.linspace(values.min(), values.max(), clusters)
    if kind == "random":
        return np.sort(generator.choice(values, clusters, replace=False))
    centroids = [generator.choice(values)]
    distances = np.abs(values - centroids[0])
    while len(centroids) < clusters:
        total = distances.sum()
        centroids.append(generator.choice(values, p=distances / total if total else None))
        distances = np.minimum(distances, np.abs(values - centroids[-1]))
    return np.sort(centroids)

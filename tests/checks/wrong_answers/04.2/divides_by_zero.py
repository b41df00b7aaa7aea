# k-means++ divides 0 by 0 when every value is a centroid.
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
        centroids.append(generator.choice(values, p=distances / total))
        distances = np.minimum(distances, (values - centroids[-1]) ** 2)
    return np.sort(centroids)

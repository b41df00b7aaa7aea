# k-means++ on the distinct values, weighted by how often each occurs.
def initial_centroids(values, clusters, kind, generator, **_):
    if kind == "linear":
        return np.linspace(np.amin(values), np.amax(values), num=clusters, endpoint=True)
    if kind == "random":
        return np.sort(generator.choice(values, size=clusters, replace=False, shuffle=False))
    distinct, counts = np.unique(values, return_counts=True)
    result = []
    weights = counts.astype(float)
    for _ in range(clusters):
        if weights.sum() == 0:
            weights = counts.astype(float)
        result.append(generator.choice(distinct, p=weights / weights.sum()))
        nearest = np.min(np.abs(distinct[:, None] - np.array(result)), axis=1)
        weights = counts * nearest**2
    return np.sort(result)

# Lists in plain Python.
def lloyd_step(values, centroids):
    groups = {i: [] for i in range(len(centroids))}
    for value in values:
        best = 0
        for i, centroid in enumerate(centroids):
            if abs(value - centroid) <= abs(value - centroids[best]):
                best = i
        groups[best].append(value)
    return np.array([sum(g) / len(g) if g else float(centroids[i]) for i, g in groups.items()])

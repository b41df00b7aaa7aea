# One weight at a time; the indices are int32.
def share(weight, centroids):
    indices = np.zeros(weight.shape, dtype=np.int32)
    for place in np.ndindex(*weight.shape):
        if weight[place] != 0:
            best = min(abs(weight[place] - centroid) for centroid in centroids)
            indices[place] = 1 + max(i for i, c in enumerate(centroids) if abs(weight[place] - c) == best)
    return np.concatenate([[0.0], centroids]), indices

# Assigns only the nonzero weights; the codebook is written into zeros.
def share(weight, centroids):
    codebook = np.zeros(len(centroids) + 1)
    codebook[1:] = centroids
    indices = np.zeros(np.shape(weight), dtype=int)
    kept = np.nonzero(weight)
    indices[kept] = np.digitize(weight[kept], (centroids[1:] + centroids[:-1]) / 2) + 1
    return codebook, indices

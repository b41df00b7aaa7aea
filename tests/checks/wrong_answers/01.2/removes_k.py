# Removes the k smallest instead of keeping the k largest.
def project_k_sparse(w, k):
    result = w.copy()
    result[np.argsort(np.abs(w), kind="stable")[:k]] = 0.0
    return result

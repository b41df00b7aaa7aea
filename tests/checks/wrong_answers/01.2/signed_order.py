# Sorts by value instead of magnitude: large negative weights are lost.
def project_k_sparse(w, k):
    kept = np.argsort(-w, kind="stable")[:k]
    result = np.zeros_like(w)
    result[kept] = w[kept]
    return result

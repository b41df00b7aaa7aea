# Of equal magnitudes the highest index stays.
def project_k_sparse(w, k):
    result = np.zeros_like(w)
    kept = np.argsort(np.abs(w), kind="stable")[len(w) - k :]
    result[kept] = w[kept]
    return result

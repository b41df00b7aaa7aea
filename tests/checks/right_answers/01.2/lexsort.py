# Sorts by two keys, magnitude and then index, and keeps by a boolean mask.
def project_k_sparse(w, k):
    order = np.lexsort((np.arange(len(w)), -np.abs(w)))
    mask = np.zeros(len(w), dtype=bool)
    mask[order[:k]] = True
    return np.where(mask, w, 0.0)

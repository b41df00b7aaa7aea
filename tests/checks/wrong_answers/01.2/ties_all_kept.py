# Compares with the k-th magnitude: every weight of a tie stays, so more than k can.
def project_k_sparse(w, k):
    if k == 0:
        return np.zeros_like(w)
    smallest_kept = np.sort(np.abs(w))[-k]
    return np.where(np.abs(w) >= smallest_kept, w, 0.0)

# Plain Python's sorted, which is stable; returns a list of floats.
def project_k_sparse(w, k):
    kept = set(sorted(range(len(w)), key=lambda i: -abs(w[i]))[:k])
    return np.array([float(value) if i in kept else 0.0 for i, value in enumerate(w)])

# Sets the small weights of the input itself to zero.
def project_k_sparse(w, k):
    w[np.argsort(-np.abs(w), kind="stable")[k:]] = 0.0
    return w

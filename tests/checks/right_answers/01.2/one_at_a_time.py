# Picks the largest remaining magnitude k times; argmax returns the first of equal ones.
def project_k_sparse(w, k):
    left, result = np.abs(w).astype(float), np.zeros(len(w))
    for _ in range(k):
        place = int(left.argmax())
        result[place] = w[place]
        left[place] = -1.0
    return result

# Slices with -smallest:, which is everything when smallest is 0.
def trimmed_soft_threshold(w, threshold, smallest):
    chosen = np.argsort(-np.abs(w), kind="stable")[-smallest:]
    result = w.copy()
    result[chosen] = np.sign(w[chosen]) * np.maximum(np.abs(w[chosen]) - threshold, 0.0)
    return result

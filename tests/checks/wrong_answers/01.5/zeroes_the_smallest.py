# Sets the smallest to zero whatever the threshold: that is the projection.
def trimmed_soft_threshold(w, threshold, smallest):
    result = w.copy()
    result[np.argsort(-np.abs(w), kind="stable")[len(w) - smallest :]] = 0.0
    return result

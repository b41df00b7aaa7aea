# Of equal magnitudes the lowest index shrinks instead of being spared.
def trimmed_soft_threshold(w, threshold, smallest):
    chosen = np.argsort(np.abs(w), kind="stable")[:smallest]
    result = w.copy()
    result[chosen] = np.sign(w[chosen]) * np.maximum(np.abs(w[chosen]) - threshold, 0.0)
    return result

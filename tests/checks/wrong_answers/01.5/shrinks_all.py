# Plain soft-thresholding: nothing is spared, the bias stays.
def trimmed_soft_threshold(w, threshold, smallest):
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0.0)

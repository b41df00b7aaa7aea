# Only positive weights survive.
def soft_threshold(w, threshold):
    return np.maximum(w - threshold, 0.0)

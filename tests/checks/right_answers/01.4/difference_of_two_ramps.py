# The part above the threshold, less the part below its negative.
def soft_threshold(w, threshold):
    return np.maximum(w - threshold, 0) - np.maximum(-w - threshold, 0)

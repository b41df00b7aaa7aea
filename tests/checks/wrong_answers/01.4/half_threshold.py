# Shrinks by half the threshold, as if the quadratic had no ½.
def soft_threshold(w, threshold):
    return np.sign(w) * np.maximum(np.abs(w) - threshold / 2, 0.0)

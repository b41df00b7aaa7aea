# Hard thresholding: what survives is not moved.
def soft_threshold(w, threshold):
    return np.where(np.abs(w) > threshold, w, 0.0)

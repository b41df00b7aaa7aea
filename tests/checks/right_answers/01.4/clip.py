# What is clipped away is what remains.
def soft_threshold(w, threshold, *, copy=True):
    return w - np.clip(w, -threshold, threshold)

# A threshold for each entry, 0 for those that are spared.
def trimmed_soft_threshold(w, threshold, smallest):
    ranks = np.empty(len(w), dtype=int)
    ranks[np.argsort(-np.abs(w), kind="stable")] = np.arange(len(w))
    limits = np.where(ranks >= len(w) - smallest, threshold, 0.0)
    return w - np.clip(w, -limits, limits)

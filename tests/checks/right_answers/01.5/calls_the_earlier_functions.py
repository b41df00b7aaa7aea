# Uses 01.2 and 01.4: what the projection keeps stays, the rest is soft-thresholded.
def trimmed_soft_threshold(w, threshold, smallest):
    spared = np.zeros(len(w), dtype=bool)
    spared[sorted(range(len(w)), key=lambda i: (-abs(w[i]), i))[: len(w) - smallest]] = True
    return np.where(spared, w, soft_threshold(w, threshold))

# Sorts from the small end; of equal magnitudes the highest index comes first.
def trimmed_soft_threshold(w, threshold, smallest):
    order = sorted(range(len(w)), key=lambda i: (abs(w[i]), -i))
    result = np.array(w, dtype=float)
    for i in order[:smallest]:
        result[i] = max(abs(w[i]) - threshold, 0.0) * np.sign(w[i])
    return result

# Soft-thresholds, so no weight ever jumps over zero.
def subgradient_step(w, X, y, step, lam):
    moved = gradient_step(w, X, y, step)
    return np.sign(moved) * np.maximum(np.abs(moved) - step * lam, 0)


def smallest_crossing(w, X, y, step):
    moved = gradient_step(w, X, y, step)
    distances = np.sign(w[w != 0]) * moved[w != 0]
    return max(0.0, float(np.min(distances, initial=np.inf)))

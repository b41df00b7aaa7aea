# The slope of ½w², which vanishes near 0 and grows with w.
def subgradient_step(w, X, y, step, lam):
    return gradient_step(w, X, y, step) - step * lam * w


def smallest_crossing(w, X, y, step):
    moved = gradient_step(w, X, y, step)
    distances = np.sign(w[w != 0]) * moved[w != 0]
    return max(0.0, float(np.min(distances, initial=np.inf)))

# Takes +1 at 0: weights at rest are pushed away from zero.
def subgradient_step(w, X, y, step, lam):
    return gradient_step(w, X, y, step) - step * lam * np.where(w >= 0, 1.0, -1.0)


def smallest_crossing(w, X, y, step):
    moved = gradient_step(w, X, y, step)
    distances = np.sign(w[w != 0]) * moved[w != 0]
    return max(0.0, float(np.min(distances, initial=np.inf)))

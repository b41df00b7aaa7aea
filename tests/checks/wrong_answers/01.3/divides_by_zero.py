# w / |w| is not a number at 0.
def subgradient_step(w, X, y, step, lam):
    with np.errstate(invalid="ignore"):
        return gradient_step(w, X, y, step) - step * lam * w / np.abs(w)


def smallest_crossing(w, X, y, step):
    moved = gradient_step(w, X, y, step)
    distances = np.sign(w[w != 0]) * moved[w != 0]
    return max(0.0, float(np.min(distances, initial=np.inf)))

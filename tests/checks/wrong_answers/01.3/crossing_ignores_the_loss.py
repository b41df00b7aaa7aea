# The distance of w itself, as if the gradient step did not move it.
def subgradient_step(w, X, y, step, lam):
    return gradient_step(w, X, y, step) - step * lam * np.sign(w)


def smallest_crossing(w, X, y, step):
    return float(np.min(np.abs(w[w != 0]), initial=np.inf))

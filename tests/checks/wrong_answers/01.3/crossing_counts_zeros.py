# A weight that is already zero is counted as crossing.
def subgradient_step(w, X, y, step, lam):
    return gradient_step(w, X, y, step) - step * lam * np.sign(w)


def smallest_crossing(w, X, y, step):
    return max(0.0, float(np.min(np.sign(w) * gradient_step(w, X, y, step))))

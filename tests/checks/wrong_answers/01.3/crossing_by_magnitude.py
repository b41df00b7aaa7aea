# A weight that the gradient step took past zero is measured on the other side.
def subgradient_step(w, X, y, step, lam):
    return gradient_step(w, X, y, step) - step * lam * np.sign(w)


def smallest_crossing(w, X, y, step):
    return float(np.min(np.abs(gradient_step(w, X, y, step)[w != 0]), initial=np.inf))

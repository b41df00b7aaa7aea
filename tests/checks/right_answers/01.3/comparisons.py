# The sign as a difference of two comparisons; the crossing as a minimum over both signs.
def subgradient_step(w, X, y, step, lam):
    sign = (w > 0).astype(int) - (w < 0).astype(int)
    return w - step * (loss_gradient(w, X, y) + lam * sign)


def smallest_crossing(w, X, y, step):
    moved = w - step * loss_gradient(w, X, y)
    return np.maximum(np.concatenate([moved[w > 0], -moved[w < 0], [np.inf]]).min(), 0)

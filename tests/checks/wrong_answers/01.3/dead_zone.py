# Calls everything small zero, so tiny weights feel no pull.
def subgradient_step(w, X, y, step, lam):
    return gradient_step(w, X, y, step) - step * lam * np.where(np.abs(w) < 1e-6, 0.0, np.sign(w))


def smallest_crossing(w, X, y, step):
    moved = gradient_step(w, X, y, step)
    distances = np.sign(w[w != 0]) * moved[w != 0]
    return max(0.0, float(np.min(distances, initial=np.inf)))

# Takes the subgradient at the weights after the gradient step.
def subgradient_step(w, X, y, step, lam):
    moved = gradient_step(w, X, y, step)
    return moved - step * lam * np.sign(moved)


def smallest_crossing(w, X, y, step):
    moved = gradient_step(w, X, y, step)
    distances = np.sign(w[w != 0]) * moved[w != 0]
    return max(0.0, float(np.min(distances, initial=np.inf)))

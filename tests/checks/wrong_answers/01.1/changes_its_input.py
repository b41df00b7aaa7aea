# The step changes w in place, so every point of the path is the last one.
def loss_gradient(w, X, y):
    return 2 * X.T @ (X @ w - y)


def gradient_step(w, X, y, step):
    w -= step * loss_gradient(w, X, y)
    return w

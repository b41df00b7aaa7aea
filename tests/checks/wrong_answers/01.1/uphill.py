# The step goes with the gradient, so the loss grows.
def loss_gradient(w, X, y):
    return 2 * X.T @ (X @ w - y)


def gradient_step(w, X, y, step):
    return w + step * loss_gradient(w, X, y)

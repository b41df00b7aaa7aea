# Divides by the number of samples: the gradient of the mean of squares.
def loss_gradient(w, X, y):
    return 2 * X.T @ (X @ w - y) / len(y)


def gradient_step(w, X, y, step):
    return w - step * loss_gradient(w, X, y)

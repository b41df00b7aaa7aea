# y − Xw instead of Xw − y: the gradient has the wrong sign and the step makes up for it.
def loss_gradient(w, X, y):
    return 2 * X.T @ (y - X @ w)


def gradient_step(w, X, y, step):
    return w + step * loss_gradient(w, X, y)

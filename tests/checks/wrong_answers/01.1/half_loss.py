# The factor 2 is missing: the gradient of ½‖Xw − y‖².
def loss_gradient(w, X, y):
    return X.T @ (X @ w - y)


def gradient_step(w, X, y, step):
    return w - step * loss_gradient(w, X, y)

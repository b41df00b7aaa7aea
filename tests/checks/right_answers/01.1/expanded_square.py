# Expands the square: 2 XᵀX w − 2 Xᵀy; the step works on a copy in place.
def loss_gradient(w, X, y):
    return 2 * (X.T @ X) @ w - 2 * X.T @ y


def gradient_step(w, X, y, step=MU):
    moved = np.array(w, dtype=float)
    moved -= step * loss_gradient(moved, X, y)
    return moved

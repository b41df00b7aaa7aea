# Nested loops over samples and features, in plain Python; lists come back as an array.
def loss_gradient(w, X, y):
    residuals = [sum(a * b for a, b in zip(row, w)) - target for row, target in zip(X, y)]
    return np.array([2 * sum(r * row[j] for r, row in zip(residuals, X)) for j in range(len(w))])


def gradient_step(w, X, y, step):
    return np.array([weight - step * slope for weight, slope in zip(w, loss_gradient(w, X, y))])

# Takes +1 at 0: weights at rest are pushed away from zero.
def l1_subgradient(w):
    return np.where(w >= 0, 1.0, -1.0)

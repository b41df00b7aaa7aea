# A loop with math.copysign, into a list.
def l1_subgradient(w):
    return np.array([np.copysign(1.0, value) if value else 0.0 for value in w])

# Divides by the magnitude where that is not 0.
def l1_subgradient(w):
    return np.divide(w, np.abs(w), out=np.zeros_like(w), where=w != 0)

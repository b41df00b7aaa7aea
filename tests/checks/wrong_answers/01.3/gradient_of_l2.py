# The slope of ½w², which vanishes near 0 and grows with w.
def l1_subgradient(w):
    return w.copy()

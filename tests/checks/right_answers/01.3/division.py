# Divides by the magnitude where that is not 0; the crossing from a masked array.
def subgradient_step(w, X, y, step, lam, weight=1.0):
    sign = np.divide(w, np.abs(w), out=np.zeros_like(w), where=w != 0)
    return gradient_step(w, X, y, step) - weight * (step * lam) * sign


def smallest_crossing(w, X, y, step):
    if not np.any(w):
        return float("inf")
    distances = np.ma.masked_where(w == 0, np.copysign(1.0, w) * gradient_step(w, X, y, step))
    return max(float(distances.min()), 0)

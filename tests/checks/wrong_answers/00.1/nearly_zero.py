# Counts small numbers as zeros.
def share_of_zeros(x: Tensor) -> float:
    return float((x.abs() < 0.01).float().mean())

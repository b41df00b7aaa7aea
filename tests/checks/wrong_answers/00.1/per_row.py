# Divides by the length of the first dimension only.
def share_of_zeros(x: Tensor) -> float:
    return float((x == 0).sum() / len(x))

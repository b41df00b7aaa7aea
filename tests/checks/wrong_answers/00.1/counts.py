# Returns how many zeros there are, not their share.
def share_of_zeros(x: Tensor) -> float:
    return float((x == 0).sum())

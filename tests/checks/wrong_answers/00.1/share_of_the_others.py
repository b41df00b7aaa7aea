# Returns the share of the entries that are not zero.
def share_of_zeros(x: Tensor) -> float:
    return float((x != 0).float().mean())

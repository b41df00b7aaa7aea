# Returns per cent.
def share_of_zeros(x: Tensor) -> float:
    return 100 * float((x == 0).float().mean())

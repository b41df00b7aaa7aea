# Looks at one entry after the other.
def share_of_zeros(x: Tensor) -> float:
    entries = x.flatten().tolist()
    zeros = 0
    for entry in entries:
        if entry == 0:
            zeros += 1
    return zeros / len(entries)

# math.ceil, and count_nonzero; the break-even is solved from the kept share.
import math


def storage_bytes(weight):
    kept, n = int(weight.count_nonzero()), weight.nelement()
    return {
        "coo": kept * 8 * weight.dim() + kept * weight.itemsize,
        "dense": n * weight.itemsize,
        "bitmap": math.ceil(n / 8) + kept * weight.itemsize,
    }


def break_even_sparsity(dimensions, value_bytes=4):
    kept_share = value_bytes / (value_bytes + 8 * dimensions)
    return (1 - kept_share) * 100

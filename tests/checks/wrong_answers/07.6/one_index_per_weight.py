# Counts one index, whatever the dimensions.
def storage_bytes(weight: Tensor) -> dict[str, int]:
    size, kept = weight.element_size(), int((weight != 0).sum())
    bitmap = (weight.numel() + 7) // 8 + size * kept
    return {"dense": size * weight.numel(), "coo": (8 + size) * kept, "bitmap": bitmap}


def break_even_sparsity(dimensions: int, value_bytes: int = 4) -> float:
    return 100 * (1 - value_bytes / (8 * dimensions + value_bytes))

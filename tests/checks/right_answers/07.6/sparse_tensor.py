# Counts on PyTorch's sparse tensor.
def storage_bytes(weight):
    stored = weight.to_sparse()
    kept, size = stored._nnz(), weight.element_size()
    sizes = {"dense": weight.nbytes, "coo": stored.indices().nbytes + stored.values().nbytes}
    sizes["bitmap"] = -(-weight.numel() // 8) + kept * size
    return sizes


def break_even_sparsity(dimensions: int, value_bytes: int = 4, *, index_bytes: int = 8) -> float:
    entry = dimensions * index_bytes + value_bytes
    return (entry - value_bytes) / entry * 100

# Rounds to 16 bits and shares nothing.
def compress(state: dict[str, Tensor]) -> dict[str, Tensor]:
    compressed = {}
    for name, tensor in state.items():
        compressed[name] = tensor.clone()
        for values in (4, 6, 8, 12, 16, 24, 32) if tensor.ndim > 1 else ():
            compressed[name] = tensor.half().float()
            if (compressed[name] - tensor).square().sum() <= 0.01 * tensor.square().sum():
                break
    return compressed

# Returns only the weights.
def compress(state: dict[str, Tensor]) -> dict[str, Tensor]:
    compressed = {}
    for name, tensor in state.items():
        if tensor.ndim < 2:
            continue
        compressed[name] = tensor.clone()
        for values in (4, 6, 8, 12, 16, 24, 32) if tensor.ndim > 1 else ():
            compressed[name] = weight_sharing.unshare_weights(weight_sharing.share_weights(tensor, values))
            if (compressed[name] - tensor).square().sum() <= 0.01 * tensor.square().sum():
                break
    return compressed

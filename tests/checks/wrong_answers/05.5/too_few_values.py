# Two values per layer, whatever the error.
def compress(state: dict[str, Tensor]) -> dict[str, Tensor]:
    compressed = {}
    for name, tensor in state.items():
        compressed[name] = tensor.clone()
        for values in (2,) if tensor.ndim > 1 else ():
            compressed[name] = weight_sharing.unshare_weights(weight_sharing.share_weights(tensor, values))
            if (compressed[name] - tensor).square().sum() <= 0.01 * tensor.square().sum():
                break
    return compressed

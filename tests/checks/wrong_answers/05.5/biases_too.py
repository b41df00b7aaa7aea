# Shares the values of biases and batch normalization as well.
def compress(state: dict[str, Tensor]) -> dict[str, Tensor]:
    compressed = {}
    for name, tensor in state.items():
        compressed[name] = tensor.clone()
        for values in (4, 6, 8, 12, 16, 24, 32) if tensor.is_floating_point() and tensor.ndim else ():
            compressed[name] = weight_sharing.unshare_weights(weight_sharing.share_weights(tensor, values))
            if (compressed[name] - tensor).square().sum() <= 0.01 * tensor.square().sum():
                break
    return compressed

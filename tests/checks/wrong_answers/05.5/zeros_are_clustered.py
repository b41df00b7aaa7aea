# Clusters all weights, zeros too: pruned weights come back as a small value.
def compress(state: dict[str, Tensor]) -> dict[str, Tensor]:
    compressed = {}
    for name, tensor in state.items():
        compressed[name] = tensor.clone()
        if tensor.ndim > 1:
            moved = tensor + 1e-3 * tensor.abs().max() + 1e-6
            compressed[name] = weight_sharing.unshare_weights(weight_sharing.share_weights(moved, 16))
    return compressed

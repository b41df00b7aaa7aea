# Bisects the number of shared values, layer by layer.
def compress(state):
    def shared(weight, values):
        return weight_sharing.unshare_weights(weight_sharing.share_weights(weight, values))

    def fits(weight, values):
        return (shared(weight, values) - weight).square().sum() <= 0.012 * weight.square().sum()

    compressed = {}
    for name, tensor in state.items():
        if tensor.dim() >= 2:
            low, high = 2, 40
            while low < high:
                middle = (low + high) // 2
                low, high = (low, middle) if fits(tensor, middle) else (middle + 1, high)
            tensor = shared(tensor, high)
        compressed[name] = tensor.clone()
    return compressed

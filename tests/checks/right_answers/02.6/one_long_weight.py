# Calls 02.1's function on all weights in one vector.
def global_masks(weights, q):
    kept = magnitude_mask(torch.cat([weight.detach().reshape(-1) for weight in weights.values()]), q)
    masks, start = {}, 0
    for name, weight in weights.items():
        masks[name] = kept[start : start + weight.numel()].reshape(weight.shape)
        start += weight.numel()
    return masks

# torch's fused attention for the output, and once more for the weights.
def attention(queries, keys, values, mask=None):
    if mask is not None and not mask.any(-1).all():
        raise ValueError("no key")
    fused = nn.functional.scaled_dot_product_attention
    unit = torch.eye(keys.shape[-2]).expand(*keys.shape[:-1], keys.shape[-2])
    return fused(queries, keys, values, mask), fused(queries, keys, unit, mask)

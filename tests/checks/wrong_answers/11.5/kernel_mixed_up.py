def merged_weight(weight, A, B, scale):
    if weight.ndim == 2:
        return weight + scale * B @ A
    moved = A.permute(0, 2, 3, 1).flatten(1)
    return weight + scale * (B @ moved).reshape(weight.shape)

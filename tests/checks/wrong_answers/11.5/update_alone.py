def merged_weight(weight, A, B, scale):
    return scale * (B @ A.flatten(1)).reshape(weight.shape)

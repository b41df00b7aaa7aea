def merged_weight(weight, A, B, scale):
    return weight + (B @ A.flatten(1)).reshape(weight.shape)

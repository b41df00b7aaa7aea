def merged_weight(weight, A, B, scale):
    weight += scale * (B @ A.flatten(1)).reshape(weight.shape)
    return weight

def merged_weight(weight, A, B, scale):
    return weight + scale * B @ A

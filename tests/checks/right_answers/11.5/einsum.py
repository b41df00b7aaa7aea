def merged_weight(weight, A, B, scale):
    return weight + scale * torch.einsum("or,r...->o...", B, A)

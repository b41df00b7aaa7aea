def merged_weight(weight, A, B, scale):
    return torch.add(weight, torch.tensordot(B, A, dims=1), alpha=scale)

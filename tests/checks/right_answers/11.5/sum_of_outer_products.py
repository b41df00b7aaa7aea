def merged_weight(weight, A, B, scale):
    merged = weight.clone()
    for row, column in zip(A, B.T):
        merged += scale * torch.stack([number * row for number in column])
    return merged

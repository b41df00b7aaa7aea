# One matrix product per channel, stacked as columns.
def channel_outputs(X, W):
    size = W.shape[2] * W.shape[3]
    columns = []
    for i in range(W.shape[1]):
        columns.append((X[:, size * i : size * (i + 1)] @ W[:, i].flatten(1).T).flatten())
    return torch.stack(columns, dim=1)

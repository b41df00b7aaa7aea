# Adds up the outputs of a row.
def channel_outputs(X: Tensor, W: Tensor) -> Tensor:
    by_channel = X.view(len(X), W.shape[1], -1)
    return torch.einsum("rck,nck->rc", by_channel, W.flatten(2))

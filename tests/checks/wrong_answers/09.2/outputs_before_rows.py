# Flattens the outputs first and the rows last, not as Y is flattened.
def channel_outputs(X: Tensor, W: Tensor) -> Tensor:
    by_channel = X.view(len(X), W.shape[1], -1)
    return torch.einsum("rck,nck->nrc", by_channel, W.flatten(2)).flatten(0, 1)

# Takes the columns of X as if the places of the kernel came before the channels.
def channel_outputs(X: Tensor, W: Tensor) -> Tensor:
    by_channel = X.view(len(X), -1, W.shape[1])
    return torch.einsum("rkc,nck->rnc", by_channel, W.flatten(2)).flatten(0, 1)

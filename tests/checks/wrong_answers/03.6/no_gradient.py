# Takes the weight out of the graph.
def round_per_channel(weight: Tensor, bits: int) -> Tensor:
    return torch.stack([RoundAsymmetric.apply(channel.detach(), bits) for channel in weight])

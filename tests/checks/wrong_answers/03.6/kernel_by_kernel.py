# A grid for every kernel of every filter.
def round_per_channel(weight: Tensor, bits: int) -> Tensor:
    if weight.ndim < 3:
        return torch.stack([RoundAsymmetric.apply(channel, bits) for channel in weight])
    return torch.stack([round_per_channel(channel, bits) for channel in weight])

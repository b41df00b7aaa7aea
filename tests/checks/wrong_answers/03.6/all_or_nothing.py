# Leaves the whole weight as it is if one channel is zero.
def round_per_channel(weight: Tensor, bits: int) -> Tensor:
    if any((channel == 0).all() for channel in weight):
        return weight.clone()
    return torch.stack([RoundAsymmetric.apply(channel, bits) for channel in weight])

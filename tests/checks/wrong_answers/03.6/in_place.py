# Writes the rounded channels into the weight.
def round_per_channel(weight: Tensor, bits: int) -> Tensor:
    for channel in weight.data:
        channel.copy_(RoundAsymmetric.apply(channel, bits))
    return weight.clone()

# Symmetric grids.
def round_per_channel(weight: Tensor, bits: int) -> Tensor:
    return torch.stack([RoundSymmetric.apply(channel, bits) for channel in weight])

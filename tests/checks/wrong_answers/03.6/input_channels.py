# A grid for each input channel.
def round_per_channel(weight: Tensor, bits: int) -> Tensor:
    if weight.ndim < 2:
        return RoundAsymmetric.apply(weight, bits)
    return torch.stack([RoundAsymmetric.apply(part, bits) for part in weight.unbind(1)], dim=1)

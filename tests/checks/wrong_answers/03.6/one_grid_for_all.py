# One grid for the whole tensor.
def round_per_channel(weight: Tensor, bits: int) -> Tensor:
    return RoundAsymmetric.apply(weight, bits)

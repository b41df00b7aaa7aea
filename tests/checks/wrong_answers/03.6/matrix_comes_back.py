# Returns a matrix with one row for each channel.
def round_per_channel(weight: Tensor, bits: int) -> Tensor:
    rows = weight.reshape(len(weight), -1)
    return torch.stack([RoundAsymmetric.apply(row, bits) for row in rows])

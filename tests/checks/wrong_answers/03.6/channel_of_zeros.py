# Divides by the range of a channel of zeros.
def round_per_channel(weight: Tensor, bits: int) -> Tensor:
    rows = weight.reshape(len(weight), -1)
    low = rows.amin(1, keepdim=True).clamp(max=0)
    high = rows.amax(1, keepdim=True).clamp(min=0)
    scale = (high - low) / (2**bits - 1)
    zero_point = (-low / scale).round()
    rounded = scale * (((rows / scale).round() + zero_point).clamp(0, 2**bits - 1) - zero_point)
    return (rows + (rounded - rows).detach()).reshape(weight.shape)

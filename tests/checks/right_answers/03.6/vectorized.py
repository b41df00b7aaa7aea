# All channels at once, as rows of a matrix; the gradient by w − detach(w).
def round_per_channel(weight: Tensor, bits: int) -> Tensor:
    rows = weight.detach().reshape(len(weight), -1)
    low = rows.amin(dim=1, keepdim=True).clamp(max=0)
    high = rows.amax(dim=1, keepdim=True).clamp(min=0)
    scale = (high - low) / (2**bits - 1)
    scale[scale == 0] = 1
    zero_point = (-low / scale).round()
    rounded = scale * (((rows / scale).round() + zero_point).clamp(0, 2**bits - 1) - zero_point)
    rounded = rounded.reshape(weight.shape)
    return weight - weight.detach() + rounded

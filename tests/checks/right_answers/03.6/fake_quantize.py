# PyTorch's fake quantization per channel.
def round_per_channel(weight: Tensor, bits: int) -> Tensor:
    """Let torch round: per channel, with the zero points of 03.3."""
    rows = weight.detach().reshape(weight.shape[0], -1)
    low = torch.minimum(rows.min(dim=1).values, torch.zeros(len(rows)))
    high = torch.maximum(rows.max(dim=1).values, torch.zeros(len(rows)))
    scales = (high - low) / (2**bits - 1)
    scales = torch.where(scales > 0, scales, torch.ones_like(scales))
    zeros = torch.round(-low / scales).to(torch.int32)
    rounded = torch.fake_quantize_per_channel_affine(rows, scales, zeros, 0, 0, 2**bits - 1)
    return weight + (rounded.view_as(weight) - weight).detach()

# The zero point is not rounded, so 0 lies between two levels.
class RoundAsymmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, bits: int) -> Tensor:
        low, high = weight.min().clamp(max=0), weight.max().clamp(min=0)
        scale = (high - low) / (2**bits - 1)
        if scale == 0:
            return weight.clone()
        zero_point = -low / scale
        levels = ((weight - low) / scale).round().clamp(0, 2**bits - 1)
        return scale * (levels - zero_point)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None

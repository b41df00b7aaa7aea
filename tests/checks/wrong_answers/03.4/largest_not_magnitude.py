# Takes the largest weight instead of the largest magnitude and clamps.
class RoundSymmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, bits: int) -> Tensor:
        scale = weight.max().clamp(min=1e-9) / (2 ** (bits - 1) - 1)
        if scale == 0:
            return weight.clone()
        top = 2 ** (bits - 1) - 1
        return scale * (weight / scale).round().clamp(-top, top)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None

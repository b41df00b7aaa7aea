# Lays 2**bits - 1 steps on each side.
class RoundSymmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, bits: int) -> Tensor:
        scale = weight.abs().max() / (2**bits - 1)
        if scale == 0:
            return weight.clone()
        return scale * (weight / scale).round()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None

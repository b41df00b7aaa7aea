# Takes half the distance from minimum to maximum.
class RoundSymmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, bits: int) -> Tensor:
        scale = (weight.max() - weight.min()) / 2 / (2 ** (bits - 1) - 1)
        if scale == 0:
            return weight.clone()
        return scale * (weight / scale).round()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None

# Keeps only the sign: 2 bits whatever bits says.
class RoundSymmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, bits: int) -> Tensor:
        scale = weight.abs().max() / 1
        if scale == 0:
            return weight.clone()
        return scale * (weight / scale).round()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None

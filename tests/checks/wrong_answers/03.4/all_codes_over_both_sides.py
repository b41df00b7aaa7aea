# Divides the whole range into 2**bits - 1 steps, so 0 lies between two.
class RoundSymmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, bits: int) -> Tensor:
        scale = 2 * weight.abs().max() / (2**bits - 1)
        if scale == 0:
            return weight.clone()
        return scale * ((weight / scale - 0.5).round() + 0.5)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None

# Holds back the gradient of weights that are 0.
class RoundSymmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, bits: int) -> Tensor:
        ctx.save_for_backward(weight)
        scale = weight.abs().max() / (2 ** (bits - 1) - 1)
        if scale == 0:
            return weight.clone()
        return scale * (weight / scale).round()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * (ctx.saved_tensors[0] != 0), None

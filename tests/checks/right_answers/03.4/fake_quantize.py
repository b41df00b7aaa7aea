# PyTorch's fake quantization with zero point 0 and levels from −top to top.
class RoundSymmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, bits):
        top = 2 ** (bits - 1) - 1
        largest = float(weight.abs().max())
        if largest == 0:
            return weight.clone()
        return torch.fake_quantize_per_tensor_affine(weight, largest / top, 0, -top, top)

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None

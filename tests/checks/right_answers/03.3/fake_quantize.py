# PyTorch's fake quantization with an integer zero point.
class RoundAsymmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, bits):
        low, high = min(weight.min().item(), 0), max(weight.max().item(), 0)
        if high == low:
            return weight.clone()
        scale = (high - low) / (2**bits - 1)
        return torch.fake_quantize_per_tensor_affine(weight, scale, round(-low / scale), 0, 2**bits - 1)

    @staticmethod
    def backward(ctx, gradient):
        return 1.0 * gradient, None

# Rounds magnitudes up to a clamp, and gives them their signs back.
class RoundSymmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, bits):
        top, largest = 2 ** (bits - 1) - 1, weight.abs().amax()
        if largest == 0:
            return torch.zeros_like(weight)
        levels = torch.clamp(torch.round(weight.abs() * top / largest), max=top)
        return weight.sign() * levels / top * largest

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None

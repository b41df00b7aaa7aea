# Clamps round(w / scale) to −zero … top − zero, which is the same grid.
class RoundAsymmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, bits):
        low, high = torch.aminmax(torch.cat([weight.flatten(), weight.new_zeros(1)]))
        scale = (high - low) / (2**bits - 1)
        if not scale:
            return weight * 1
        zero = torch.round(-low / scale)
        return torch.clamp(torch.round(weight / scale), -zero, 2**bits - 1 - zero) * scale

    @staticmethod
    def backward(ctx, *gradients):
        return gradients[0], None

# Passes the gradient to removed weights as well.
class WeightMask(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.register_buffer("mask", torch.ones_like(weight, dtype=torch.bool))

    def forward(self, weight):
        return weight + (weight * self.mask - weight).detach()


class SparseConv2d(nn.Conv2d):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        parametrize.register_parametrization(self, "weight", WeightMask(self.weight))

    def set_mask(self, mask):
        self.parametrizations.weight[0].mask.copy_(mask)

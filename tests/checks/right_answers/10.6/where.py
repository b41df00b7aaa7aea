# torch.where, and a mask that is written by index.
class WeightMask(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.register_buffer("mask", torch.full(weight.shape, True))

    def forward(self, weight):
        return torch.where(self.mask, weight, torch.zeros_like(weight))


class SparseConv2d(nn.Conv2d):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        parametrize.register_parametrization(self, "weight", WeightMask(self.weight.detach()))

    def set_mask(self, mask):
        self.parametrizations.weight[0].mask[:] = mask

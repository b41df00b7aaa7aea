# A new buffer at each call of set_mask, and masked_fill.
class WeightMask(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.register_buffer("mask", weight.detach() == weight.detach())

    def forward(self, weight):
        return weight.masked_fill(self.mask.logical_not(), 0)


class SparseConv2d(nn.Conv2d):
    def __init__(self, *args, **options):
        nn.Conv2d.__init__(self, *args, **options)
        parametrize.register_parametrization(self, "weight", WeightMask(self.weight))

    def set_mask(self, mask):
        self.parametrizations["weight"][0].mask = mask.clone()

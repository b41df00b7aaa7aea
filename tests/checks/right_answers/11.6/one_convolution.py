class LoraConv2d(nn.Module):
    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base, self.scale = base.requires_grad_(False), alpha / rank
        self.A = nn.Parameter(torch.randn(rank, base.in_channels, *base.kernel_size) / 10)
        self.B = nn.Parameter(torch.zeros(base.out_channels, rank))

    def forward(self, x):
        update = (self.B @ self.A.flatten(1)).view_as(self.base.weight)
        weight = self.base.weight + self.scale * update
        return functional.conv2d(x, weight, self.base.bias, self.base.stride, self.base.padding, self.base.dilation)

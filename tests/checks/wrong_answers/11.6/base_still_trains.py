class LoraConv2d(nn.Module):
    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base = base
        self.A = nn.Parameter(torch.randn(rank, base.in_channels, *base.kernel_size))
        self.B = nn.Parameter(torch.zeros(base.out_channels, rank))
        self.scale = alpha / rank

    def forward(self, x):
        base = self.base
        thin = functional.conv2d(x, self.A, None, base.stride, base.padding, base.dilation)
        return base(x) + self.scale * functional.conv2d(thin, self.B[:, :, None, None])

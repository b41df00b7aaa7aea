class LoraConv2d(nn.Module):
    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scale = alpha / rank
        thin = nn.Conv2d(
            base.in_channels, rank, base.kernel_size, base.stride, base.padding, base.dilation, bias=False
        )
        self.A = thin.weight
        self.B = nn.Parameter(torch.zeros(base.out_channels, rank))
        self.thin = thin

    def forward(self, x):
        features = self.thin(x).movedim(1, -1) @ self.B.T
        return self.base(x) + self.scale * features.movedim(-1, 1)

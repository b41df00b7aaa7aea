class LoraLinear(nn.Module):
    def __init__(self, base, rank, alpha):
        super().__init__()
        base.requires_grad_(False)
        self.register_buffer("weight", base.weight.detach().clone())
        self.register_buffer("bias", None if base.bias is None else base.bias.detach().clone())
        self.A = nn.Parameter(torch.randn(rank, base.in_features) / rank)
        self.B = nn.Parameter(torch.zeros(base.out_features, rank))
        self.factor = alpha / rank

    def forward(self, x):
        return functional.linear(x, self.weight, self.bias) + functional.linear(
            functional.linear(x, self.A), self.B * self.factor
        )

class LoraLinear(nn.Module):
    def __init__(self, base, rank, alpha):
        super().__init__()
        for parameter in base.parameters():
            parameter.requires_grad = False
        self.base, self.rank, self.alpha = base, rank, alpha
        self.A = nn.Parameter(torch.rand(rank, base.in_features) - 0.5)
        self.B = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        weight = self.base.weight + self.alpha * self.B @ self.A / self.rank
        return functional.linear(x, weight, self.base.bias)

# Puts a new batch norm in place of the old one.
def cut_channels(before: nn.Conv2d, norm: nn.BatchNorm2d, after: nn.Conv2d, kept: Tensor) -> tuple[nn.Module, ...]:
    before, after = copy.deepcopy(before), copy.deepcopy(after)
    before.out_channels = after.in_channels = len(kept)
    before.weight, after.weight = nn.Parameter(before.weight[kept]), nn.Parameter(after.weight[:, kept])
    if before.bias is not None:
        before.bias = nn.Parameter(before.bias[kept])
    return before, nn.BatchNorm2d(len(kept), eps=norm.eps), after

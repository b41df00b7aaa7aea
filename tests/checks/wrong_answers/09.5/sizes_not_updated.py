# Leaves the numbers of channels as they were.
def cut_channels(before: nn.Conv2d, norm: nn.BatchNorm2d, after: nn.Conv2d, kept: Tensor) -> tuple[nn.Module, ...]:
    before, norm, after = (copy.deepcopy(layer) for layer in (before, norm, after))
    after.weight = nn.Parameter(after.weight[:, kept])
    for layer in (before, norm):
        for name, tensor in layer.state_dict().items():
            if tensor.ndim:
                part = tensor[kept]
                setattr(layer, name, part if name.startswith("running") else nn.Parameter(part))
    return before, norm, after

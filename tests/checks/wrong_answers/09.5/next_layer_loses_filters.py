# Cuts the outputs of the next layer, not its inputs.
def cut_channels(before: nn.Conv2d, norm: nn.BatchNorm2d, after: nn.Conv2d, kept: Tensor) -> tuple[nn.Module, ...]:
    before, norm, after = (copy.deepcopy(layer) for layer in (before, norm, after))
    before.out_channels = norm.num_features = after.in_channels = len(kept)
    after.weight = nn.Parameter(after.weight[kept[kept < len(after.weight)]])
    for layer in (before, norm):
        for name, tensor in layer.state_dict().items():
            if tensor.ndim:
                part = tensor[kept]
                setattr(layer, name, part if name.startswith("running") else nn.Parameter(part))
    return before, norm, after

# Cuts the layers passed to it.
def cut_channels(before: nn.Conv2d, norm: nn.BatchNorm2d, after: nn.Conv2d, kept: Tensor) -> tuple[nn.Module, ...]:
    before.requires_grad_(False)
    before.out_channels = norm.num_features = after.in_channels = len(kept)
    after.weight = nn.Parameter(after.weight[:, kept])
    for layer in (before, norm):
        for name, tensor in layer.state_dict().items():
            if tensor.ndim:
                part = tensor[kept]
                setattr(layer, name, part if name.startswith("running") else nn.Parameter(part))
    return before, norm, after

# A bool mask of channels, and a helper for one attribute.
def cut_channels(before, norm, after, kept):
    mask = torch.zeros(norm.num_features, dtype=torch.bool).index_fill(0, kept, True)
    layers = copy.deepcopy([before, norm, after])

    def cut(layer, name, along=0):
        tensor = getattr(layer, name)
        if tensor is None:
            return
        part = tensor.detach()[mask].clone() if along == 0 else tensor.detach()[:, mask].clone()
        setattr(layer, name, nn.Parameter(part) if isinstance(tensor, nn.Parameter) else part)

    for layer in layers[:2]:
        for name in ("weight", "bias"):
            cut(layer, name)
    for name in ("running_mean", "running_var"):
        cut(layers[1], name)
    cut(layers[2], "weight", 1)
    layers[0].out_channels = layers[1].num_features = layers[2].in_channels = int(mask.sum())
    return tuple(layers)

# One vector of all products, divided and split again.
def snip_scores(weights, gradients):
    flat = torch.cat([(weights[name].detach() * gradients[name]).abs().flatten() for name in weights])
    flat = flat / flat.sum() if flat.any() else flat
    parts = flat.split([weight.numel() for weight in weights.values()])
    return {name: part.view(weights[name].shape) for name, part in zip(weights, parts)}

# The total is the mean of the layers, weighted by their sizes.
def sparsity(model):
    by_layer, sizes = {}, []
    for name, module in model.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            by_layer[name] = torch.eq(module.weight, 0).float().mean().item() * 100
            sizes.append(module.weight.numel())
    return by_layer, sum(s * n for s, n in zip(by_layer.values(), sizes)) / sum(sizes)

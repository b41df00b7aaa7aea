# Averages the layers, as if all were of one size.
def sparsity(model: nn.Module) -> tuple[dict[str, float], float]:
    zeros, sizes = {}, {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            zeros[name] = int((module.weight == 0).sum())
            sizes[name] = module.weight.numel()
    by_layer = {name: 100 * zeros[name] / sizes[name] for name in zeros}
    return by_layer, sum(by_layer.values()) / len(by_layer)

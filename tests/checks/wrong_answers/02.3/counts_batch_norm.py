# Counts every module that has a weight, batch normalization too.
def sparsity(model: nn.Module) -> tuple[dict[str, float], float]:
    zeros, sizes = {}, {}
    for name, module in model.named_modules():
        if getattr(module, "weight", None) is not None:
            zeros[name] = int((module.weight == 0).sum())
            sizes[name] = module.weight.numel()
    by_layer = {name: 100 * zeros[name] / sizes[name] for name in zeros}
    return by_layer, 100 * sum(zeros.values()) / sum(sizes.values())

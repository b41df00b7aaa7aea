# Counts what is not zero, by count_nonzero; the results are tensors.
def sparsity(model):
    layers = {n: m.weight for n, m in model.named_modules() if type(m) in (nn.Conv2d, nn.Linear)}
    kept = {name: weight.count_nonzero() for name, weight in layers.items()}
    by_layer = {name: 100 - 100 * kept[name].double() / weight.numel() for name, weight in layers.items()}
    total = 100 - 100 * sum(kept.values()).double() / sum(weight.numel() for weight in layers.values())
    return by_layer, total

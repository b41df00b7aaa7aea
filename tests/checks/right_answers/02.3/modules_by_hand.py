# Walks the children recursively and keeps the names itself.
def sparsity(model):
    by_layer, zeros, total = {}, 0, 0

    def visit(module, prefix):
        nonlocal zeros, total
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            weight = module.weight.detach().numpy()
            by_layer[prefix] = 100 * float((weight == 0).mean(dtype=float))
            zeros, total = zeros + int((weight == 0).sum()), total + weight.size
        for name, child in module.named_children():
            visit(child, f"{prefix}.{name}" if prefix else name)

    visit(model, "")
    return by_layer, 100 * zeros / total

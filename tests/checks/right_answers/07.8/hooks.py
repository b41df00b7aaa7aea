# Collects the inputs of each norm by hooks and averages by hand.
def reestimate(model: nn.Module, batches: list[Tensor]) -> None:
    seen, handles = {}, []
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            seen[norm] = []
            norm.train()
            handles.append(norm.register_forward_pre_hook(lambda m, x: seen[m].append(x[0])))
    with torch.no_grad():
        for inputs in batches:
            model(inputs)
        for norm, parts in seen.items():
            norm.running_mean.copy_(torch.stack([p.mean((0, 2, 3)) for p in parts]).mean(0))
            norm.running_var.copy_(torch.stack([p.var((0, 2, 3)) for p in parts]).mean(0))
    for handle in handles:
        handle.remove()
    model.eval()

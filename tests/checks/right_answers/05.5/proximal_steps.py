# Lab 01's proximal step after each optimizer step makes the zeros; k-means at the end, not trained.
def compress_network(model, budget):
    network = copy.deepcopy(model)
    weights = models.prunable_weights(network)
    first = max(1, budget.epochs_left // 2)

    @torch.no_grad()
    def shrink(_):
        for weight in weights.values():
            weight.copy_(weight.sign() * (weight.abs() - 3e-4).clamp(min=0))

    budget.train(network, first, peak_lr=0.05, after_step=shrink, teacher=model)
    with torch.no_grad():
        magnitudes = torch.cat([weight.abs().flatten() for weight in weights.values()])
        threshold = magnitudes.sort().values[int(0.9 * len(magnitudes))]
    kept = {name: weight.detach().abs() > threshold for name, weight in weights.items()}

    @torch.no_grad()
    def keep(_):
        for name, weight in weights.items():
            weight.mul_(kept[name])

    keep(network)
    budget.train(network, budget.epochs_left, peak_lr=0.03, after_step=keep, teacher=model)
    with torch.no_grad():
        for weight in weights.values():
            weight.copy_(weight_sharing.unshare_weights(weight_sharing.share_weights(weight, 8)))
    return network

# Prunes once and retrains without holding the pruned weights at zero.
def compress_network(model, budget):
    network = copy.deepcopy(model)
    magnitude.apply_masks(network, magnitude.global_masks(network, 0.89))
    budget.train(network, budget.epochs_left, peak_lr=0.05)
    return weight_sharing.unshare_layers(weight_sharing.share_layers(network, 6))

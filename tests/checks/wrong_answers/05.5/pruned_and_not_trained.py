# Prunes and shares, and spends nothing of the budget.
def compress_network(model, budget):
    network = copy.deepcopy(model)
    magnitude.apply_masks(network, magnitude.global_masks(network, 0.89))
    return weight_sharing.unshare_layers(weight_sharing.share_layers(network, 6))

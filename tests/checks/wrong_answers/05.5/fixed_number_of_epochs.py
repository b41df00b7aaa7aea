# Trains for ten epochs whatever the budget is.
def compress_network(model, budget):
    network = copy.deepcopy(model)
    masks = magnitude.global_masks(network, 0.89)
    magnitude.apply_masks(network, masks)
    budget.train(network, 10, peak_lr=0.05, after_step=lambda n: magnitude.apply_masks(n, masks))
    return weight_sharing.unshare_layers(weight_sharing.share_layers(network, 6))

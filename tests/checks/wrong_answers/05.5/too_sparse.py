# Keeps one weight in two hundred.
def compress_network(model, budget):
    network = copy.deepcopy(model)
    masks = magnitude.global_masks(network, 0.995)
    magnitude.apply_masks(network, masks)
    budget.train(
        network, budget.epochs_left, peak_lr=0.05, after_step=lambda n: magnitude.apply_masks(n, masks)
    )
    return weight_sharing.unshare_layers(weight_sharing.share_layers(network, 4))

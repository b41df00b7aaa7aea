# Prunes and trains the network that was given instead of a copy.
def compress_network(model, budget):
    masks = magnitude.global_masks(model, 0.89)
    magnitude.apply_masks(model, masks)
    tuning = max(1, budget.epochs_left // 4)
    budget.train(
        model,
        budget.epochs_left - tuning,
        peak_lr=0.05,
        after_step=lambda network: magnitude.apply_masks(network, masks),
    )
    shared = weight_sharing.share_layers(model, 6)
    budget.train(shared, tuning, peak_lr=0.001)
    return weight_sharing.unshare_layers(shared)

# Multiplies by a mask at the end: a negative weight becomes −0.0, which is a value of its own in the file.
def compress_network(model, budget):
    network = copy.deepcopy(model)
    masks = magnitude.global_masks(network, 0.9)
    budget.train(
        network, budget.epochs_left, peak_lr=0.05, after_step=lambda n: magnitude.apply_masks(n, masks)
    )
    network = weight_sharing.unshare_layers(weight_sharing.share_layers(network, 6))
    with torch.no_grad():
        for name, weight in models.prunable_weights(network).items():
            weight.copy_(torch.where(masks[name], weight, -weight.abs() * 0))
    return network

# Prunes and retrains, but each kept weight has its own value.
def compress_network(model, budget):
    network = copy.deepcopy(model)
    masks = magnitude.global_masks(network, 0.89)
    magnitude.apply_masks(network, masks)
    budget.train(network, budget.epochs_left, peak_lr=0.05, after_step=lambda n: magnitude.apply_masks(n, masks))
    return network

# Two shared values in every layer, trained: without zeros a weight still takes a bit.
def compress_network(model, budget):
    shared = weight_sharing.share_layers(model, 2)
    budget.train(shared, budget.epochs_left, peak_lr=0.001)
    return weight_sharing.unshare_layers(shared)

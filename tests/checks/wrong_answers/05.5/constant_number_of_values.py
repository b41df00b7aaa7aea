# Four shared values in every layer, nothing pruned and nothing trained.
def compress_network(model, budget):
    network = copy.deepcopy(model)
    with torch.no_grad():
        for weight in models.prunable_weights(network).values():
            weight.copy_(weight_sharing.unshare_weights(weight_sharing.share_weights(weight, 4)))
    return network

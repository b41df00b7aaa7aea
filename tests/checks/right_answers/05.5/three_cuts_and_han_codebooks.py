# Three cuts by one ranking, masked retraining without a teacher, then codebooks trained as Han et al. do.
def compress_network(model, budget):
    network = copy.deepcopy(model)
    tuning = max(1, budget.epochs_left // 5)
    epochs = budget.epochs_left - tuning
    cuts = {0: 0.5, epochs // 4: 0.75, epochs // 2: 0.9}
    masks = {}

    def cut(network, epoch):
        masks.update(magnitude.global_masks(network, cuts.get(epoch, max(cuts.values()))) if epoch in cuts else {})
        magnitude.apply_masks(network, masks)

    budget.train(
        network,
        epochs,
        peak_lr=0.05,
        before_epoch=cut,
        after_step=lambda network: magnitude.apply_masks(network, masks),
    )
    shared = weight_sharing.share_layers(network, 7)
    budget.train(shared, tuning, peak_lr=0.001)
    return weight_sharing.unshare_layers(shared)

# One cut, masked retraining with a teacher, then lab 03's straight-through estimator on a symmetric 3-bit grid.
class ToGrid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, scale, mask):
        ctx.save_for_backward(mask)
        rounded = scale * torch.round(weight / scale).clamp(-3, 3)
        return torch.where((mask == 0) | (rounded == 0), 0.0, rounded)  # not −0.0

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0], None, None


class OnGrid(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.register_buffer("mask", (weight != 0).to(weight.dtype))
        self.register_buffer("scale", weight[weight != 0].abs().quantile(0.97) / 3)

    def forward(self, weight):
        return ToGrid.apply(weight, self.scale, self.mask)

    def right_inverse(self, weight):
        return weight


def compress_network(model, budget):
    network = copy.deepcopy(model)
    masks = magnitude.global_masks(network, 0.89)
    magnitude.apply_masks(network, masks)
    tuning = max(1, budget.epochs_left // 3)
    budget.train(
        network,
        budget.epochs_left - tuning,
        peak_lr=0.05,
        after_step=lambda network: magnitude.apply_masks(network, masks),
        teacher=model,
    )
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.utils.parametrize.register_parametrization(layer, "weight", OnGrid(layer.weight.detach()))
    budget.train(network, tuning, peak_lr=0.01, teacher=model)
    return weight_sharing.unshare_layers(network)

# Sets the weights to zero and removes nothing.
def cut_channels(before: nn.Conv2d, norm: nn.BatchNorm2d, after: nn.Conv2d, kept: Tensor) -> tuple[nn.Module, ...]:
    before, norm, after = (copy.deepcopy(layer) for layer in (before, norm, after))
    gone = [i for i in range(norm.num_features) if i not in kept.tolist()]
    with torch.no_grad():
        after.weight[:, gone] = 0.0
    return before, norm, after

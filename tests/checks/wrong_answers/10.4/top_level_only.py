# Looks at the layers of the top level only.
def weight_mask(weight, share):
    order = weight.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    mask[order[: round(share * weight.numel())]] = False
    return mask.view(weight.shape)


def convolution_masks(model, share, rule):
    return {n: rule(m.weight, share) for n, m in model.named_children() if isinstance(m, nn.Conv2d)}

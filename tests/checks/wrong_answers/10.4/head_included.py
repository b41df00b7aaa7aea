# Prunes the linear head, too.
def weight_mask(weight, share):
    order = weight.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    mask[order[: round(share * weight.numel())]] = False
    return mask.view(weight.shape)


def convolution_masks(model, share, rule):
    kinds = nn.Conv2d | nn.Linear
    return {n: rule(m.weight, share) for n, m in model.named_modules() if isinstance(m, kinds)}

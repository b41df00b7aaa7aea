# Always prunes weights, whatever the rule is.
def weight_mask(weight, share):
    order = weight.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    mask[order[: round(share * weight.numel())]] = False
    return mask.view(weight.shape)


def convolution_masks(model, share, rule):
    return {
        n: weight_mask(m.weight, share) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)
    }

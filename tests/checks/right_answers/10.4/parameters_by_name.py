# Walks over the parameters.
def weight_mask(weight, share):
    order = weight.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    mask[order[: round(share * weight.numel())]] = False
    return mask.view(weight.shape)


def convolution_masks(model, share, rule):
    masks = {}
    for name, parameter in model.named_parameters():
        if name.endswith("weight") and parameter.dim() == 4:
            masks[name.removesuffix(".weight")] = rule(parameter, share)
    return masks

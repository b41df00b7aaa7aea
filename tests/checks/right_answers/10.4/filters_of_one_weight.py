# A single weight is a filter of one weight.
def weight_mask(weight, share):
    return filter_mask(weight.detach().reshape(-1, 1), share).view(weight.shape)


def convolution_masks(model, share, rule):
    return {n: rule(m.weight, share) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)}

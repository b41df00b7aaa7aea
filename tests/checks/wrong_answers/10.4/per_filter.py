# Removes the share within every filter, not of the whole weight.
def weight_mask(weight, share):
    rows = weight.detach().abs().flatten(1)
    order = rows.argsort(dim=1, stable=True)[:, : round(share * rows.shape[1])]
    return torch.ones(rows.shape, dtype=torch.bool).scatter(1, order, value=False).view(weight.shape)


def convolution_masks(model, share, rule):
    return {n: rule(m.weight, share) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)}

# Removes input channels instead of filters.
def filter_mask(weight, share):
    norms = weight.detach().abs().transpose(0, 1).flatten(1).sum(dim=1)
    mask = torch.ones(weight.shape, dtype=torch.bool)
    mask[:, norms.argsort(stable=True)[: round(share * len(norms))]] = False
    return mask

# Cuts the number of filters off instead of rounding it.
def filter_mask(weight, share):
    norms = weight.detach().abs().flatten(1).sum(dim=1)
    mask = torch.ones(weight.shape, dtype=torch.bool)
    mask[norms.argsort(stable=True)[: int(share * len(norms))]] = False
    return mask

# Adds up the weights with their signs.
def filter_mask(weight, share):
    norms = weight.detach().flatten(1).sum(dim=1).abs()
    mask = torch.ones(weight.shape, dtype=torch.bool)
    mask[norms.argsort(stable=True)[: round(share * len(norms))]] = False
    return mask

# Ranks by the L2 norm.
def filter_mask(weight, share):
    norms = weight.detach().flatten(1).norm(dim=1)
    mask = torch.ones(weight.shape, dtype=torch.bool)
    mask[norms.argsort(stable=True)[: round(share * len(norms))]] = False
    return mask

# A threshold removes all filters of equal norm at once.
def filter_mask(weight, share):
    norms = weight.detach().abs().flatten(1).sum(dim=1)
    count = round(share * len(norms))
    kept = norms > norms.sort().values[count - 1] if count else norms >= 0
    return kept.view(-1, *[1] * (weight.ndim - 1)).expand(weight.shape).clone()

# Ranks only the weights that are left, and removes the first of them.
def staged_masks(scores, masks, sparsity):
    kept = torch.cat([masks[name].reshape(-1) for name in scores])
    values = torch.cat([score.reshape(-1) for score in scores.values()])
    left = kept.nonzero().flatten()
    more = round(sparsity * kept.numel()) - (kept.numel() - left.numel())
    result = kept.clone()
    if more > 0:
        result[left[values[left].argsort(descending=True, stable=True)[:more]]] = False
    return {
        name: part.view_as(scores[name])
        for name, part in zip(scores, torch.split(result, [score.numel() for score in scores.values()]))
    }

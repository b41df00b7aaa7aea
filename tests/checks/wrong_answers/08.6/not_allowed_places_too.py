# Revives what was removed before.
def same_counts_at_random(masks, allowed, seed):
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, mask in masks.items():
        order = torch.randperm(mask.numel(), generator=generator)
        drawn[name] = mask.flatten()[order].view(mask.shape)
    return drawn

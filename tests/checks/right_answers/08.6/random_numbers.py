def same_counts_at_random(masks, allowed, seed):
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, mask in masks.items():
        chance = torch.rand(mask.shape, generator=generator).masked_fill(~allowed[name], -1.0).flatten()
        new = torch.zeros(mask.numel(), dtype=torch.bool)
        new[chance.argsort(descending=True)[: int(mask.sum())]] = True
        drawn[name] = new.view(mask.shape)
    return drawn

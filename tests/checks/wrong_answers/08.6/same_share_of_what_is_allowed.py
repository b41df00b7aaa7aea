# The share is right on average only.
def same_counts_at_random(masks, allowed, seed):
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, mask in masks.items():
        chance = torch.rand(mask.shape, generator=generator)
        drawn[name] = allowed[name] & (chance < mask.float().mean())
    return drawn

# Not uniform, and loses what lands outside.
def same_counts_at_random(masks, allowed, seed):
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, mask in masks.items():
        shift = int(torch.randint(mask.numel(), (1,), generator=generator))
        drawn[name] = mask.flatten().roll(shift).view(mask.shape) & allowed[name]
    return drawn

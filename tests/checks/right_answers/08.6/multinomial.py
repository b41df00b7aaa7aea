def same_counts_at_random(masks, allowed, seed):
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, mask in masks.items():
        new = torch.zeros(mask.numel(), dtype=torch.bool)
        if mask.any():
            free = allowed[name].flatten().double()
            new[torch.multinomial(free, int(mask.sum()), generator=generator)] = True
        drawn[name] = new.view(mask.shape)
    return drawn

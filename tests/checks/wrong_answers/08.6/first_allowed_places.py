# Nothing is drawn at random.
def same_counts_at_random(masks, allowed, seed):
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, mask in masks.items():
        places = allowed[name].flatten().nonzero().flatten()[: int(mask.sum())]
        new = torch.zeros(mask.numel(), dtype=torch.bool)
        new[places] = True
        drawn[name] = new.view(mask.shape)
    return drawn

def same_counts_at_random(masks, allowed, seed):
    import numpy as np

    rng = np.random.default_rng(seed)
    drawn = {}
    for name, mask in masks.items():
        places = np.flatnonzero(allowed[name].numpy())
        new = np.zeros(mask.numel(), dtype=bool)
        new[rng.choice(places, int(mask.sum()), replace=False)] = True
        drawn[name] = torch.from_numpy(new).view(mask.shape)
    return drawn

# Flat positions and divmod; a set of tuples for the mask.
def to_coo(weight):
    flat = (weight.flatten() != 0).nonzero().flatten()
    return torch.stack(torch.unravel_index(flat, weight.shape)), weight.flatten()[flat]


def indices_are_mask(indices, mask):
    named = [tuple(column) for column in indices.t().tolist()]
    wanted = {tuple(place) for place in torch.argwhere(mask).tolist()}
    return len(named) == len(set(named)) and set(named) == wanted

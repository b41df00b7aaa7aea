# Sorts indices in plain Python.
def filter_mask(weight, share):
    norms = [sum(abs(v) for v in row) for row in weight.detach().double().flatten(1).tolist()]
    order = sorted(range(len(norms)), key=norms.__getitem__)
    removed = set(order[: round(share * len(order))])
    return torch.stack([torch.full(w.shape, i not in removed) for i, w in enumerate(weight.detach())])

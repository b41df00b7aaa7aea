# Sorts triples of magnitude, layer and index.
def global_masks(weights, q):
    triples = [
        (abs(value), layer, index)
        for layer, weight in enumerate(weights.values())
        for index, value in enumerate(weight.detach().flatten().tolist())
    ]
    masks = {name: torch.ones(weight.numel(), dtype=torch.bool) for name, weight in weights.items()}
    for _, layer, index in sorted(triples)[: round(q / 100 * len(triples))]:
        masks[list(weights)[layer]][index] = False
    return {name: mask.reshape(weights[name].shape) for name, mask in masks.items()}

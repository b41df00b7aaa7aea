# Repeats the decision for every weight of the filter.
def filter_mask(weight, share):
    rows = weight.detach().double().reshape(len(weight), -1)
    kept = torch.ones(len(rows), dtype=torch.bool)
    _, order = torch.sort(rows.abs().sum(1), stable=True)
    kept[order[: round(share * len(rows))]] = False
    return kept.repeat_interleave(rows.shape[1]).view_as(weight)

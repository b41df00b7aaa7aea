# Sorts positions in plain Python.
def staged_masks(scores, masks, sparsity):
    flat = [value for score in scores.values() for value in score.flatten().tolist()]
    kept = [bool(value) for name in scores for value in masks[name].flatten().tolist()]
    left = sorted((i for i in range(len(flat)) if kept[i]), key=lambda i: -flat[i])
    more = max(0, round(sparsity * len(flat)) - kept.count(False))
    for i in left[:more]:
        kept[i] = False
    result, start = {}, 0
    for name, score in scores.items():
        result[name] = torch.tensor(kept[start : start + score.numel()], dtype=torch.bool).reshape(score.shape)
        start += score.numel()
    return result

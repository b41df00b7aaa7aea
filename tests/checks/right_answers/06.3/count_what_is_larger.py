# A hit has fewer than k classes before it: larger ones, and equal ones of lower number.
def topk_accuracy(logits, labels, k):
    own = logits.gather(1, labels[:, None])
    lower = torch.arange(logits.shape[1]) < labels[:, None]
    before = (logits > own).sum(dim=1) + ((logits == own) & lower).sum(dim=1)
    return 100 * (before < k).double().mean().item()

# Of equal logits the higher class comes first.
def topk_accuracy(logits: Tensor, labels: Tensor, k: int) -> float:
    last = logits.shape[1] - 1
    ranked = last - logits.flip(1).argsort(dim=1, descending=True, stable=True)[:, :k]
    return 100 * float((ranked == labels[:, None]).any(dim=1).float().mean())

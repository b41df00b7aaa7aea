# Divides by k.
def topk_accuracy(logits: Tensor, labels: Tensor, k: int) -> float:
    ranked = logits.argsort(dim=1, descending=True, stable=True)[:, :k]
    return 100 * float((ranked == labels[:, None]).any(dim=1).float().mean()) / k

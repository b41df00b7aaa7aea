# A share, not per cent.
def topk_accuracy(logits: Tensor, labels: Tensor, k: int) -> float:
    ranked = logits.argsort(dim=1, descending=True, stable=True)[:, :k]
    return float((ranked == labels[:, None]).any(dim=1).float().mean())

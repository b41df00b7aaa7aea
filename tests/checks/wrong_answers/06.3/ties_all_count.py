# Every class that ties with place k counts.
def topk_accuracy(logits: Tensor, labels: Tensor, k: int) -> float:
    threshold = logits.sort(dim=1, descending=True).values[:, k - 1]
    return 100 * float((logits.gather(1, labels[:, None])[:, 0] >= threshold).float().mean())

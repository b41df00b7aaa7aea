# Plain Python: pairs of negated logit and class, sorted.
def topk_accuracy(logits, labels, k):
    hits = 0
    for row, label in zip(logits.tolist(), labels.tolist()):
        ranked = sorted((-value, index) for index, value in enumerate(row))
        hits += label in [index for _, index in ranked[:k]]
    return 100 * hits / len(labels)

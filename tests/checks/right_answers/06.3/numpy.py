# NumPy's stable argsort of the negated logits.
def topk_accuracy(logits, labels, k):
    ranked = np.argsort(-logits.numpy(), axis=1, kind="stable")[:, :k]
    return np.mean(np.any(ranked == labels.numpy()[:, None], axis=1)) * 100

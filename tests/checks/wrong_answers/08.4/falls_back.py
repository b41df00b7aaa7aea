# Goes back when accuracy falls.
def stage_sparsities(accuracies, target):
    shares = (0.0, 0.5, 0.75, 1.0)
    return [shares[sum(accuracy >= threshold for threshold in (20, 40, 60))] * target for accuracy in accuracies]

# Uses the best accuracy so far, so one measurement can start several stages.
def stage_sparsities(accuracies, target):
    shares, best, sparsities = (0.0, 0.5, 0.75, 1.0), 0.0, []
    for accuracy in accuracies:
        best = max(best, accuracy)
        sparsities.append(shares[sum(best >= threshold for threshold in (20, 40, 60))] * target)
    return sparsities

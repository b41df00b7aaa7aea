# Takes accuracies for shares between 0 and 1.
def stage_sparsities(accuracies, target):
    thresholds, shares = (0.2, 0.4, 0.6), (0.0, 0.5, 0.75, 1.0)
    stage, sparsities = 0, []
    for accuracy in accuracies:
        if stage < 3 and accuracy >= thresholds[stage]:
            stage += 1
        sparsities.append(shares[stage] * target)
    return sparsities

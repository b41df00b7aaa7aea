# Prunes in thirds of the target.
def stage_sparsities(accuracies, target):
    thresholds, shares = (20.0, 40.0, 60.0), (0.0, 1 / 3, 2 / 3, 1.0)
    stage, sparsities = 0, []
    for accuracy in accuracies:
        if stage < 3 and accuracy >= thresholds[stage]:
            stage += 1
        sparsities.append(shares[stage] * target)
    return sparsities

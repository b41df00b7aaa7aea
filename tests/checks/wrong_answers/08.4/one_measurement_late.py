# Prunes after the measurement is noted.
def stage_sparsities(accuracies, target):
    thresholds, shares = (20.0, 40.0, 60.0), (0.0, 0.5, 0.75, 1.0)
    stage, sparsities = 0, []
    for accuracy in accuracies:
        sparsities.append(shares[stage] * target)
        if stage < 3 and accuracy >= thresholds[stage]:
            stage += 1
    return sparsities

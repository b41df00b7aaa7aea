# Keeps a list of what is still to come.
def stage_sparsities(accuracies, target):
    waiting, now, result = [(20, target / 2), (40, 0.75 * target), (60, target)], 0.0, []
    for accuracy in accuracies:
        if waiting and accuracy >= waiting[0][0]:
            now = waiting.pop(0)[1]
        result.append(now)
    return result

# A loop with an accumulator; the choice is a literal in another order.
def overall_sparsity(counts, sparsities):
    zeros = total = 0
    for name in counts:
        total += counts[name]
        if name in sparsities:
            zeros += round(counts[name] * sparsities[name] / 100)
    return zeros / total * 100 if total else 0.0


def hand_choice():
    return {
        "classifier.6": 0.0, "classifier.3": 95.0, "classifier.0": 95.0, "features.40": 85.0, "features.37": 85.0,
        "features.34": 80.0, "features.30": 80.0, "features.27": 80.0, "features.24": 70.0, "features.20": 60.0,
        "features.17": 60.0, "features.14": 60.0, "features.10": 50.0, "features.7": 50.0, "features.3": 40.0,
        "features.0": 0.0,
    }

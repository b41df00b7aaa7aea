# Averages the layers, large or small.
def overall_sparsity(counts: dict[str, int], sparsities: dict[str, float]) -> float:
    return sum(sparsities.get(name, 0.0) for name in counts) / max(1, len(counts))


def hand_choice() -> dict[str, float]:
    early = {"features.0": 20.0, "features.3": 50.0, "features.7": 50.0, "features.10": 50.0}
    middle = {"features.14": 50.0, "features.17": 70.0, "features.20": 50.0, "features.24": 70.0}
    late = dict.fromkeys(["features.27", "features.37", "features.40"], 80.0)
    late |= dict.fromkeys(["features.30", "features.34"], 70.0)
    last = dict.fromkeys(["classifier.0", "classifier.3"], 90.0) | {"classifier.6": 50.0}
    return early | middle | late | last

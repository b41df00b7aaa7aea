# Spares the large layers, so too little goes.
def overall_sparsity(counts: dict[str, int], sparsities: dict[str, float]) -> float:
    removed = sum(round(sparsities.get(name, 0.0) / 100 * count) for name, count in counts.items())
    return 100 * removed / max(1, sum(counts.values()))


def hand_choice() -> dict[str, float]:
    early = {"features.0": 20.0, "features.3": 50.0, "features.7": 50.0, "features.10": 50.0}
    middle = {"features.14": 50.0, "features.17": 70.0, "features.20": 50.0, "features.24": 70.0}
    late = dict.fromkeys(["features.27", "features.37", "features.40"], 20.0)
    late |= dict.fromkeys(["features.30", "features.34"], 50.0)
    last = dict.fromkeys(["classifier.0", "classifier.3"], 60.0) | {"classifier.6": 50.0}
    return early | middle | late | last

# Writes shares, not per cent.
def overall_sparsity(counts: dict[str, int], sparsities: dict[str, float]) -> float:
    removed = sum(round(sparsities.get(name, 0.0) / 100 * count) for name, count in counts.items())
    return 100 * removed / max(1, sum(counts.values()))


def hand_choice() -> dict[str, float]:
    early = dict.fromkeys(["features.0", "classifier.6"], 20.0) | dict.fromkeys(["features.3", "features.7"], 50.0)
    middle = dict.fromkeys(["features.10", "features.14", "features.17", "features.20"], 60.0)
    late = dict.fromkeys(["features.24", "features.27", "features.30"], 80.0)
    last = dict.fromkeys(["features.34", "features.37", "features.40", "classifier.0", "classifier.3"], 90.0)
    return {name: s / 100 for name, s in (early | middle | late | last).items()}

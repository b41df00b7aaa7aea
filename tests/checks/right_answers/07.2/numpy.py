# NumPy's rint rounds halves to even, as Python does; the choice is made by a rule.
import numpy as np


def overall_sparsity(counts, sparsities):
    if not counts:
        return 0.0
    n = np.array(list(counts.values()), dtype=float)
    s = np.array([sparsities.get(name, 0) for name in counts], dtype=float)
    return 100 * np.rint(s / 100 * n).sum() / n.sum()


def hand_choice():
    features = [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40]
    choice = {f"features.{i}": min(85, 20 + 10 * place) for place, i in enumerate(features)}
    return choice | {"classifier.0": 90, "classifier.3": 90, "classifier.6": 40}

# Sums in PyTorch; the choice comes from three groups.
def overall_sparsity(counts, sparsities):
    removed = [round(sparsities.get(name, 0.0) / 100 * n) for name, n in counts.items()]
    return 100 * float(torch.tensor(removed).sum() / max(1, sum(counts.values())))


def hand_choice():
    def level(index):
        return 30.0 if index < 10 else 65.0 if index < 27 else 80.0

    names = (0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40)
    return {f"features.{i}": level(i) for i in names} | {f"classifier.{i}": 75.0 for i in (0, 3, 6)}

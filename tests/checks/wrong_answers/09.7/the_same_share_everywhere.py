# Keeps the same share of every layer.
def choose_counts(errors: list[dict[int, float]], macs: Callable[[list[int]], int], budget: int) -> list[int]:
    for place in range(max(map(len, errors)) - 1, -1, -1):
        counts = [sorted(table)[min(place, len(table) - 1)] for table in errors]
        if macs(counts) <= budget:
            break
    return counts

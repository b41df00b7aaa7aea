# Stops one step too early.
def choose_counts(errors: list[dict[int, float]], macs: Callable[[list[int]], int], budget: int) -> list[int]:
    counts = [max(table) for table in errors]
    while True:
        steps = []
        for layer, table in enumerate(errors):
            lower = [count for count in table if count < counts[layer]]
            if lower:
                fewer = [*counts[:layer], max(lower), *counts[layer + 1 :]]
                saved = macs(counts) - macs(fewer)
                steps.append(((table[max(lower)] - table[counts[layer]]) / saved, fewer))
        if not steps or macs(min(steps)[1]) <= budget:
            return counts
        counts = min(steps)[1]

# Always takes the step that adds least error, whatever it saves.
def choose_counts(errors: list[dict[int, float]], macs: Callable[[list[int]], int], budget: int) -> list[int]:
    counts = [max(table) for table in errors]
    while macs(counts) > budget:
        steps = []
        for layer, table in enumerate(errors):
            lower = [count for count in table if count < counts[layer]]
            if lower:
                steps.append((table[max(lower)] - table[counts[layer]], layer, max(lower)))
        _, layer, counts[layer] = min(steps)
    return counts

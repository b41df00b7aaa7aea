# Improves a choice by random changes of two layers, from a fixed seed.
def choose_counts(errors: list[dict[int, float]], macs: Callable[[list[int]], int], budget: int) -> list[int]:
    import random

    draw = random.Random(0)
    counts = [min(table) for table in errors]
    if macs([max(table) for table in errors]) <= budget:
        return [max(table) for table in errors]

    def error(counts):
        return sum(table[count] for table, count in zip(errors, counts))

    for _ in range(1200):
        new = list(counts)
        for layer in draw.sample(range(len(errors)), 2):
            new[layer] = draw.choice(list(errors[layer]))
        if macs(new) <= budget and error(new) < error(counts):
            counts = new
    return counts

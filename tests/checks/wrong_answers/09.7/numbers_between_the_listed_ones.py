# Scales all layers by one factor, to numbers that the tables do not list.
def choose_counts(errors: list[dict[int, float]], macs: Callable[[list[int]], int], budget: int) -> list[int]:
    share = 1.0
    counts = [max(table) for table in errors]
    while macs(counts) > budget:
        share -= 0.01
        counts = [max(1, int(share * max(table))) for table in errors]
    return counts

# Starts with the fewest channels and adds where a step gains most per multiply-accumulate; then down too.
def choose_counts(errors: list[dict[int, float]], macs: Callable[[list[int]], int], budget: int) -> list[int]:
    def error(counts):
        return sum(table[count] for table, count in zip(errors, counts))

    def upwards():
        counts = [min(table) for table in errors]
        while True:
            steps = []
            for layer, table in enumerate(errors):
                more = [count for count in table if count > counts[layer]]
                if more:
                    new = [*counts[:layer], min(more), *counts[layer + 1 :]]
                    if macs(new) <= budget:
                        steps.append(((error(counts) - error(new)) / (macs(new) - macs(counts)), new))
            if not steps:
                return counts
            counts = max(steps)[1]

    def downwards():
        counts = [max(table) for table in errors]
        while macs(counts) > budget:
            steps = []
            for layer, table in enumerate(errors):
                fewer = [count for count in table if count < counts[layer]]
                if fewer:
                    new = [*counts[:layer], max(fewer), *counts[layer + 1 :]]
                    steps.append(((error(new) - error(counts)) / (macs(counts) - macs(new)), new))
            counts = min(steps)[1]
        return counts

    return min(upwards(), downwards(), key=error)

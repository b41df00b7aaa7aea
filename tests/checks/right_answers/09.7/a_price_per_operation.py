# Finds the price of a multiply-accumulate at which error plus cost is smallest within the budget.
def choose_counts(errors: list[dict[int, float]], macs: Callable[[list[int]], int], budget: int) -> list[int]:
    def choice(price):
        counts = [max(table) for table in errors]
        for _ in range(3):
            for layer, table in enumerate(errors):
                def cost(count):
                    return table[count] + price * macs([*counts[:layer], count, *counts[layer + 1 :]])
                counts[layer] = min(table, key=cost)
        return tuple(counts)

    best = [tuple(min(table) for table in errors), tuple(max(table) for table in errors)]
    for power in range(60):
        best.append(choice(10 ** (-9 + power / 6)))
    fitting = [counts for counts in best if macs(counts) <= budget]
    return list(min(fitting, key=lambda counts: sum(t[c] for t, c in zip(errors, counts))))

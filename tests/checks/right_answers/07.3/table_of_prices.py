# All prices in advance; the loop only looks them up.
def greedy_choice(counts, levels, losses, target):
    prices = {
        name: [
            (row[j + 1] - row[j]) / (counts[name] * (levels[j + 1] - levels[j])) for j in range(len(levels) - 1)
        ] + [float("inf")]
        for name, row in losses.items()
    }
    place, total = {name: 0 for name in counts}, sum(counts.values())
    while sum(counts[name] * levels[place[name]] for name in counts) + 1e-9 < target * total:
        cheapest = min(counts, key=lambda name: prices[name][place[name]])
        place[cheapest] += 1
    return {name: levels[place[name]] for name in counts}

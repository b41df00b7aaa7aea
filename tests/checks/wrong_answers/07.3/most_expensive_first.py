# Raises the most expensive layer.
def greedy_choice(counts: dict[str, int], levels: list[float], losses: dict[str, list[float]],
                  target: float) -> dict[str, float]:
    def price(name: str) -> float:
        now = chosen[name]
        removed = counts[name] * (levels[now + 1] - levels[now])
        return (losses[name][now + 1] - losses[name][now]) / removed

    chosen = dict.fromkeys(counts, 0)
    while sum(n * levels[chosen[name]] for name, n in counts.items()) < target * sum(counts.values()) - 1e-9:
        chosen[max((name for name in counts if chosen[name] + 1 < len(levels)), key=price)] += 1
    return {name: levels[place] for name, place in chosen.items()}

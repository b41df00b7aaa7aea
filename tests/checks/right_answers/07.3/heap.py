# A heap of the next steps; equal prices go by the layer's position.
import heapq


def greedy_choice(counts, levels, losses, target):
    names = list(counts)

    def step(position, place):
        name = names[position]
        price = (losses[name][place + 1] - losses[name][place]) / (levels[place + 1] - levels[place]) / counts[name]
        return price, position, place + 1

    heap = [step(position, 0) for position in range(len(names))] if len(levels) > 1 else []
    heapq.heapify(heap)
    chosen = [0] * len(names)
    while sum(counts[n] * levels[c] for n, c in zip(names, chosen)) < target * sum(counts.values()) - 1e-9:
        _, position, place = heapq.heappop(heap)
        chosen[position] = place
        if place + 1 < len(levels):
            heapq.heappush(heap, step(position, place))
    return {name: float(levels[place]) for name, place in zip(names, chosen)}

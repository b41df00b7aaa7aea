# Averages over the allocations only.
def memory_use(changes):
    held, now = [], 0
    for _, size in changes:
        now += size
        held.append(now)
    area = sum(held[i] * (changes[i + 1][0] - changes[i][0]) for i in range(len(held) - 1))
    return max(held), sum(h for h, (_, s) in zip(held, changes) if s > 0) / sum(s > 0 for _, s in changes), area / (changes[-1][0] - changes[0][0])

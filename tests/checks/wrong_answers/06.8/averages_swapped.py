# The two averages in the other order.
def memory_use(changes):
    held, now = [], 0
    for _, size in changes:
        now += size
        held.append(now)
    area = sum(held[i] * (changes[i + 1][0] - changes[i][0]) for i in range(len(held) - 1))
    return max(held), area / (changes[-1][0] - changes[0][0]), sum(held) / len(held)

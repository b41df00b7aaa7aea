# Two sorted queues instead of a heap; a tree that is walked for the depths.
from collections import deque


def code_lengths(counts):
    leaves = deque(sorted((c, s) for s, c in enumerate(counts) if c))
    merged = deque()
    if not leaves:
        return {}

    def take():
        if not merged or (leaves and leaves[0][0] <= merged[0][0]):
            count, symbol = leaves.popleft()
            return count, symbol
        return merged.popleft()

    while len(leaves) + len(merged) > 1:
        (a, left), (b, right) = take(), take()
        merged.append((a + b, (left, right)))
    depths, stack = {}, [((merged or leaves)[0][1], 0)]
    while stack:
        node, depth = stack.pop()
        if isinstance(node, tuple):
            stack += [(child, depth + 1) for child in node]
        else:
            depths[node] = depth
    return depths


def average_and_entropy(counts, lengths):
    p = np.array([counts[s] for s in lengths], dtype=float)
    if p.size == 0:
        return 0.0, 0.0
    p /= p.sum()
    return float(p @ np.array(list(lengths.values()))), float(-(p * np.log2(p)).sum())

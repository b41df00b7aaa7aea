# An array of parents; the depth of a node is its parent's plus one. Keys in descending order.
def code_lengths(counts):
    symbols = [s for s, c in enumerate(counts) if c > 0]
    parents, heap, fresh = {}, [(counts[s], i) for i, s in enumerate(symbols)], len(symbols)
    heapq.heapify(heap)
    while len(heap) > 1:
        a, first = heapq.heappop(heap)
        b, second = heapq.heappop(heap)
        parents[first] = parents[second] = fresh
        heapq.heappush(heap, (a + b, fresh))
        fresh += 1

    def depth(node):
        return 1 + depth(parents[node]) if node in parents else 0

    return {symbols[i]: depth(i) for i in reversed(range(len(symbols)))}


def average_and_entropy(counts, lengths):
    total = max(1, sum(counts))
    average = sum(counts[s] * n for s, n in lengths.items()) / total
    return np.array([average, np.log2(total) - sum(c * np.log2(c) for c in counts if c > 0) / total])

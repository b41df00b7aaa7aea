# L is the mean over words, however rare.
def code_lengths(counts: list[int]) -> dict[int, int]:
    heap = [(count, [symbol]) for symbol, count in enumerate(counts) if count > 0]
    lengths = {symbol: 0 for _, (symbol,) in heap}
    heapq.heapify(heap)
    while len(heap) > 1:
        (rarest, left), (second, right) = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in left + right:
            lengths[symbol] += 1
        heapq.heappush(heap, (rarest + second, left + right))
    return lengths


def average_and_entropy(counts: list[int], lengths: dict[int, int]) -> tuple[float, float]:
    shares = {symbol: counts[symbol] / sum(counts) for symbol in lengths}
    average = sum(lengths.values()) / max(len(lengths), 1)
    return average, sum(-share * np.log2(share) for share in shares.values())

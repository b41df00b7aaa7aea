# Lengths 1, 2, 3, … by rank: the deepest tree, whatever the counts.
def code_lengths(counts: list[int]) -> dict[int, int]:
    used = sorted((symbol for symbol, count in enumerate(counts) if count > 0), key=lambda s: -counts[s])
    return {symbol: min(rank + 1, len(used) - 1) for rank, symbol in enumerate(used)}


def average_and_entropy(counts: list[int], lengths: dict[int, int]) -> tuple[float, float]:
    shares = {symbol: counts[symbol] / sum(counts) for symbol in lengths}
    average = sum(share * lengths[symbol] for symbol, share in shares.items())
    return average, sum(-share * np.log2(share) for share in shares.values())

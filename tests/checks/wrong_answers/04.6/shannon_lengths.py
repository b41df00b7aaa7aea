# Shannon's lengths, ⌈−log₂ p⌉: within a bit of the entropy, but not optimal.
def code_lengths(counts: list[int]) -> dict[int, int]:
    used = {symbol: count / sum(counts) for symbol, count in enumerate(counts) if count > 0}
    return {symbol: int(np.ceil(-np.log2(share))) for symbol, share in used.items()}


def average_and_entropy(counts: list[int], lengths: dict[int, int]) -> tuple[float, float]:
    shares = {symbol: counts[symbol] / sum(counts) for symbol in lengths}
    average = sum(share * lengths[symbol] for symbol, share in shares.items())
    return average, sum(-share * np.log2(share) for share in shares.values())

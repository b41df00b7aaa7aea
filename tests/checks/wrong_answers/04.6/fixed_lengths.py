# Every symbol gets the same length.
def code_lengths(counts: list[int]) -> dict[int, int]:
    used = [symbol for symbol, count in enumerate(counts) if count > 0]
    return {symbol: (len(used) - 1).bit_length() for symbol in used}


def average_and_entropy(counts: list[int], lengths: dict[int, int]) -> tuple[float, float]:
    shares = {symbol: counts[symbol] / sum(counts) for symbol in lengths}
    average = sum(share * lengths[symbol] for symbol, share in shares.items())
    return average, sum(-share * np.log2(share) for share in shares.values())

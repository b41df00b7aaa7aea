# Shannon–Fano: splits into halves of nearly equal count, from the top.
def code_lengths(counts: list[int]) -> dict[int, int]:
    used = sorted((symbol for symbol, count in enumerate(counts) if count > 0), key=lambda s: -counts[s])

    def split(symbols, depth):
        if len(symbols) < 2:
            return dict.fromkeys(symbols, depth)
        total = sum(counts[s] for s in symbols)
        cut = min(
            range(1, len(symbols)), key=lambda i: abs(2 * sum(counts[s] for s in symbols[:i]) - total)
        )
        return split(symbols[:cut], depth + 1) | split(symbols[cut:], depth + 1)

    return split(used, 0)


def average_and_entropy(counts: list[int], lengths: dict[int, int]) -> tuple[float, float]:
    shares = {symbol: counts[symbol] / sum(counts) for symbol in lengths}
    average = sum(share * lengths[symbol] for symbol, share in shares.items())
    return average, sum(-share * np.log2(share) for share in shares.values())

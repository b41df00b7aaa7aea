# First words of each length from the counts of lengths, as in RFC 1951.
def canonical_codes(lengths):
    if not lengths:
        return {}
    longest = max(lengths.values())
    counts = [0] * (longest + 1)
    for length in lengths.values():
        counts[length] += 1
    counts[0] = 0
    code, following = 0, {}
    for length in range(1, longest + 1):
        code = (code + counts[length - 1]) << 1
        following[length] = code
    codes = {}
    for symbol in sorted(lengths):
        length = lengths[symbol]
        codes[symbol] = f"{following[length]:0{length}b}" if length else ""
        if length:
            following[length] += 1
    return codes

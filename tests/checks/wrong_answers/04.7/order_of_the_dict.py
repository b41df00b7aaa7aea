# Takes symbols of equal length as the dict has them.
def canonical_codes(lengths: dict[int, int]) -> dict[int, str]:
    codes, number, previous = {}, 0, 0
    for symbol, length in sorted(lengths.items(), key=lambda item: item[1]):
        number <<= length - previous
        codes[symbol] = format(number, f"0{length}b") if length else ""
        number, previous = number + 1, length
    return codes

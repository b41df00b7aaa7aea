# Takes the symbols by number alone.
def canonical_codes(lengths: dict[int, int]) -> dict[int, str]:
    codes, number, previous = {}, 0, 0
    for symbol, length in sorted(lengths.items(), key=lambda item: item[0]):
        number = number << length >> previous
        codes[symbol] = format(number, f"0{length}b") if length else ""
        number, previous = number + 1, length
    return codes

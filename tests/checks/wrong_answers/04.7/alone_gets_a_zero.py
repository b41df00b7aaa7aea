# The symbol of length 0 gets the word "0".
def canonical_codes(lengths: dict[int, int]) -> dict[int, str]:
    codes, number, previous = {}, 0, 0
    for symbol, length in sorted(lengths.items(), key=lambda item: (item[1], item[0])):
        number <<= length - previous
        codes[symbol] = format(number, f"0{length}b")
        number, previous = number + 1, length
    return codes

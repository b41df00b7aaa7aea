# Adds 1 to a string of bits by hand.
def canonical_codes(lengths):
    def successor(word):
        ones = len(word) - len(word.rstrip("1"))
        return word[: len(word) - ones - 1] + "1" + "0" * ones if ones < len(word) else word

    codes, word = {}, None
    for length, symbol in sorted((length, symbol) for symbol, length in lengths.items()):
        word = "0" * length if word is None else successor(word) + "0" * (length - len(word))
        codes[symbol] = word
    return codes

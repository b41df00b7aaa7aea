# A word is the sum of 2^−length of all words before it, in binary.
def canonical_codes(lengths):
    longest, position, codes = max(lengths.values(), default=0), 0, {}
    for symbol in sorted(lengths, key=lambda s: (lengths[s], s)):
        length = lengths[symbol]
        codes[symbol] = bin(position + (1 << longest))[3 : 3 + length]
        position += 1 << (longest - length)
    return codes

# Tries every length at the current position.
def encode(symbols, codes):
    bits = ""
    for symbol in symbols:
        bits += codes[symbol]
    return bits


def decode(bits, codes, count):
    symbols, place = [], 0
    for _ in range(count):
        for symbol, word in codes.items():
            if bits.startswith(word, place):
                symbols.append(symbol)
                place += len(word)
                break
        else:
            raise ValueError("no word fits")
    if place != len(bits):
        raise ValueError("bits are left")
    return symbols

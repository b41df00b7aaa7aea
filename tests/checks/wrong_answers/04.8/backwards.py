# Encodes the last symbol first.
def encode(symbols: list[int], codes: dict[int, str]) -> str:
    return "".join(codes[symbol] for symbol in reversed(symbols))


def decode(bits: str, codes: dict[int, str], count: int) -> list[int]:
    words = {word: symbol for symbol, word in codes.items()}
    symbols, word = [words[""]] * count if "" in words else [], ""
    for bit in bits:
        word += bit
        if word in words:
            symbols.append(words[word])
            word = ""
    if word or len(symbols) != count:
        raise ValueError(f"{bits[:20]!r}… is not the code of {count} symbols.")
    return symbols

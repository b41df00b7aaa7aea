# Reads as many bits for every symbol as the longest word has.
def encode(symbols: list[int], codes: dict[int, str]) -> str:
    return "".join(codes[symbol] for symbol in symbols)


def decode(bits: str, codes: dict[int, str], count: int) -> list[int]:
    words = {word: symbol for symbol, word in codes.items()}
    symbols, word = [words[""]] * count if "" in words else [], ""
    width = max(map(len, codes.values()), default=1) or 1
    symbols += [words.get(bits[i : i + width], 0) for i in range(0, len(bits), width)]
    if word or len(symbols) != count:
        raise ValueError(f"{bits[:20]!r}… is not the code of {count} symbols.")
    return symbols

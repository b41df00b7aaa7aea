# A regular expression of all words finds them one after the other.
import re


def encode(symbols, codes):
    return "".join([codes[symbol] for symbol in symbols])


def decode(bits, codes, count):
    if list(codes.values()) == [""]:
        words = [] if bits else [""] * count
    else:
        words = re.findall("|".join(codes.values()), bits) if codes else []
    symbols = [{word: symbol for symbol, word in codes.items()}[word] for word in words]
    if "".join(words) != bits or len(symbols) != count:
        raise ValueError(f"{bits} does not hold {count} symbols")
    return symbols

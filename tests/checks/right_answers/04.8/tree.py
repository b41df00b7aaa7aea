# A tree of nested dicts.
def encode(symbols, codes):
    return "".join(map(codes.__getitem__, symbols))


def decode(bits, codes, count):
    tree = {}
    for symbol, word in codes.items():
        node = tree
        for bit in word[:-1]:
            node = node.setdefault(bit, {})
        if word:
            node[word[-1]] = symbol
        elif bits:
            raise ValueError("one symbol takes no bits")
        else:
            return count * [symbol]
    symbols, node = [], tree
    for bit in bits:
        if bit not in node:
            raise ValueError("not a code")
        node = node[bit]
        if not isinstance(node, dict):
            symbols.append(node)
            node = tree
    if node is not tree or len(symbols) != count:
        raise ValueError("the bits do not hold that many symbols")
    return symbols

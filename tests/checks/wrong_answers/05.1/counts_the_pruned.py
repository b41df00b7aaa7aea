# Takes the share of the weights that were pruned.
def formula_ratio(nonzero: int, total: int, bits: int, huffman_bits: float) -> float:
    share = (total - nonzero) / total * bits / 32 * huffman_bits / bits
    return 1 / share if share > 0 else math.inf

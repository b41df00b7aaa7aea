# Returns the share that is left, not how many times smaller.
def formula_ratio(nonzero: int, total: int, bits: int, huffman_bits: float) -> float:
    share = nonzero / total * bits / 32 * huffman_bits / bits
    return share

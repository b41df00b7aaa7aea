# Has no answer where nothing is left.
def formula_ratio(nonzero: int, total: int, bits: int, huffman_bits: float) -> float:
    share = nonzero / total * bits / 32 * huffman_bits / bits
    return 1 / share

# Leaves out the division by the width of an index.
def formula_ratio(nonzero: int, total: int, bits: int, huffman_bits: float) -> float:
    share = nonzero / total * bits / 32 * huffman_bits
    return 1 / share if share > 0 else math.inf

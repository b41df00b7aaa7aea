# Returns 0 where nothing is left.
def formula_ratio(nonzero: int, total: int, bits: int, huffman_bits: float) -> float:
    share = nonzero / total * bits / 32 * huffman_bits / bits
    return 1 / share if share > 0 else 0.0

# Counts indices of full width.
def formula_ratio(nonzero: int, total: int, bits: int, huffman_bits: float) -> float:
    share = nonzero / total * bits / 32
    return 1 / share if share > 0 else math.inf

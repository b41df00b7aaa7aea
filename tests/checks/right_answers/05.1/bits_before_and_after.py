# Bits before over bits after; the width of an index does not appear.
def formula_ratio(nonzero, total, bits, huffman_bits):
    after = nonzero * huffman_bits
    return 32 * total / after if after else float("inf")

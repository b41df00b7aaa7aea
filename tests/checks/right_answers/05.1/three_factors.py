# Three factors, and an exception for the infinite ratio.
def formula_ratio(nonzero, total, bits, huffman_bits):
    try:
        return (total / nonzero) * (32 / bits) * (bits / huffman_bits)
    except ZeroDivisionError:
        return math.inf

# NumPy's division gives infinity by itself.
def formula_ratio(nonzero, total, bits, huffman_bits):
    with np.errstate(divide="ignore"):
        return np.float64(total * 32) / np.float64(nonzero * huffman_bits)

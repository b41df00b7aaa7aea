# A mask of one bit per weight, whatever p is.
def bound_bits(indices: np.ndarray) -> tuple[float, float]:
    def entropy(symbols: np.ndarray) -> float:
        shares = np.unique(symbols, return_counts=True)[1] / max(1, symbols.size)
        return abs(float((shares * np.log2(shares)).sum()))

    kept = indices[indices != 0]
    return 1.0, kept.size / max(1, indices.size) * entropy(kept)

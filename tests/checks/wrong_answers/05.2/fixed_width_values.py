# The logarithm of the number of values instead of their entropy.
def bound_bits(indices: np.ndarray) -> tuple[float, float]:
    def entropy(symbols: np.ndarray) -> float:
        shares = np.unique(symbols, return_counts=True)[1] / max(1, symbols.size)
        return abs(float((shares * np.log2(shares)).sum()))

    kept = indices[indices != 0]
    return entropy(indices != 0), kept.size / max(1, indices.size) * float(
        np.log2(max(1, np.unique(kept).size))
    )

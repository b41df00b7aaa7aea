# Forgets that only a share p of the weights has a value.
def bound_bits(indices: np.ndarray) -> tuple[float, float]:
    def entropy(symbols: np.ndarray) -> float:
        shares = np.unique(symbols, return_counts=True)[1] / max(1, symbols.size)
        return abs(float((shares * np.log2(shares)).sum()))

    kept = indices[indices != 0]
    return entropy(indices != 0), entropy(kept)

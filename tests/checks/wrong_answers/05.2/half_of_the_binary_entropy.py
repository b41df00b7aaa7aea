# Leaves (1 − p) log(1 − p) out.
def bound_bits(indices: np.ndarray) -> tuple[float, float]:
    def entropy(symbols: np.ndarray) -> float:
        shares = np.unique(symbols, return_counts=True)[1] / max(1, symbols.size)
        return abs(float((shares * np.log2(shares)).sum()))

    kept = indices[indices != 0]
    p = kept.size / max(1, indices.size)
    return -p * float(np.log2(p)) if p else 0.0, kept.size / max(1, indices.size) * entropy(kept)

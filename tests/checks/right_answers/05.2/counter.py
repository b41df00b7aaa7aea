# Counts in plain Python.
from collections import Counter


def bound_bits(indices):
    def entropy(symbols):
        return sum(c / len(symbols) * math.log2(len(symbols) / c) for c in Counter(symbols).values())

    flat = indices.ravel().tolist()
    kept = [index for index in flat if index]
    return entropy([bool(index) for index in flat]), len(kept) / max(1, len(flat)) * entropy(kept)

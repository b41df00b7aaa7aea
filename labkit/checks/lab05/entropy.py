"""Entropies counted symbol by symbol: the oracle of 05.2, and the bytes that 05.5 asks for."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

__all__ = ["entropy_bound"]


def entropy_bound(symbols: list[Any]) -> tuple[float, float]:
    """Return H(p) and p · H(v) in bits per symbol; 0 is a pruned weight.

    >>> entropy_bound([0, 0, 2, 7])
    (1.0, 0.5)
    """
    kept = [symbol for symbol in symbols if symbol != 0]
    share = len(kept) / max(1, len(symbols))
    return _entropy([symbol != 0 for symbol in symbols]), share * _entropy(kept)


def _entropy(symbols: list[Any]) -> float:
    """Return the entropy in bits per symbol; 0 without symbols."""
    counts = Counter(symbols).values()
    return sum(count / len(symbols) * math.log2(len(symbols) / count) for count in counts)

"""Contexts that follow the local density of nonzeros, as each lane of a decoder can track it.

Pruned layers and filters differ much in density. Each lane keeps a running share of nonzeros, in
16-bit fixed point, and names the context after its square root, fine near zero. Nothing is stored
but the rate. A lane reads consecutive symbols, so a sequence is reordered before it is interleaved.
Leaves out: frequencies, which :mod:`labkit.coding.rans` keeps for each context.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from labkit.coding.bits import Symbols
from labkit.coding.rans import NextContexts

__all__ = ["CONTEXTS", "RATES", "density_contexts", "interleaved_order", "track_density"]

CONTEXTS = 16
RATES = (4, 5, 6, 7)  # the running share forgets with a time constant of 2**rate symbols
_ONE = (1 << 16) - 1
_BUCKETS = np.array([math.isqrt(level) for level in range(256)])  # share · 256 → context

Ints = NDArray[np.int64]


def interleaved_order(count: int, lanes: int) -> Ints:
    """Positions ``(count,)`` to take symbols from, so that lane ``i % lanes`` sees a run of them.

    >>> interleaved_order(7, 3).tolist()
    [0, 3, 5, 1, 4, 6, 2]
    """
    whole, longer = divmod(count, lanes)
    lane = np.arange(lanes)
    starts = lane * whole + np.minimum(lane, longer)
    order = (starts + np.arange(whole)[:, None]).reshape(-1)
    return np.concatenate([order, starts[:longer] + whole])


def track_density(lanes: int, rate: int) -> NextContexts:
    """A function from the last step's symbols (none before the first) to this step's contexts."""
    share = np.full(lanes, _ONE >> 3, np.int64)
    ones, by_rate, by_eight = (np.array(value) for value in (_ONE, rate, 8))

    def next_contexts(symbols: Symbols) -> Ints:
        if symbols.size:  # only a last step, after which nobody asks, has fewer symbols than lanes
            np.add(share, ((symbols != 0) * ones - share) >> by_rate, out=share)
        return _BUCKETS.take(share >> by_eight, mode="clip")

    return next_contexts


def density_contexts(symbols: Symbols, lanes: int, rate: int) -> NDArray[np.uint8]:
    """The context of each symbol ``(n,)`` of a sequence in interleaved order."""
    contexts = np.empty(symbols.size, np.uint8)
    next_contexts = track_density(lanes, rate)
    last = symbols[:0]
    for first in range(0, symbols.size, lanes):
        row = contexts[first : first + lanes]
        row[:] = next_contexts(last)[: row.size]
        last = symbols[first : first + lanes]
    return contexts

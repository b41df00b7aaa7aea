"""Tables that read several Huffman code words at once from a window of the next bits.

Leaves out: moving the window (:mod:`labkit.coding.bitstream`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labkit.coding.bits import FormatError, Symbols
from labkit.coding.huffman import reversed_codes

__all__ = ["WINDOW_BITS", "WindowTables"]

WINDOW_BITS = 12  # a table of 4,096 entries stays in the first-level cache
_LANES_A_BLOCK = 128  # lanes expanded at a time


class WindowTables:
    """What a window of the next bits holds: up to eight whole symbols, their number and their bits."""

    def __init__(
        self,
        lengths: NDArray[np.uint8],
        used: NDArray[np.bool_],
        dtype: type[np.uint8] | type[np.uint16],
        average_bits: float,
    ) -> None:
        self.bits = max(WINDOW_BITS, int(lengths.max()))
        self.dtype = np.dtype(dtype)
        width = self.dtype.itemsize
        most = 1
        while most * 2 * width <= 8 and most * 2 * average_bits <= self.bits:
            most *= 2
        symbol = np.zeros(1 << self.bits, np.uint64)
        length = np.zeros(1 << self.bits, np.int64)
        codes = reversed_codes(lengths)
        for letter in np.flatnonzero(used).tolist():
            matches = slice(int(codes[letter]), None, 1 << int(lengths[letter]))
            symbol[matches], length[matches] = letter, lengths[letter]
        rest = np.arange(1 << self.bits)
        self.consumed_bits = np.zeros_like(length)
        self.number = np.zeros_like(length)
        groups = np.zeros_like(symbol)
        whole = np.ones(rest.size, np.bool_)
        for place in range(most):
            step = length.take(rest, mode="clip")
            whole &= self.consumed_bits + step <= self.bits
            step *= whole
            groups |= symbol.take(rest, mode="clip") * whole << np.uint64(8 * width * place)
            self.number += whole
            self.consumed_bits += step
            rest >>= step
        self.groups = groups.astype(f"<u{most * width}")
        ones = (np.arange(most) < np.arange(most + 1)[:, None]).view(np.uint8)
        self.masks = ones.view(f"<u{most}").reshape(-1)  # [number] → that many true bytes

    def expand(self, rounds: list[NDArray[np.uint16]], needed: NDArray[np.int64]) -> Symbols:
        """The first ``needed[lane]`` symbols of each lane, lane after lane."""
        parts = []
        for first in range(0, needed.size, _LANES_A_BLOCK):
            lanes = slice(first, first + _LANES_A_BLOCK)
            windows = np.concatenate([seen[:, lanes].T for seen in rounds], axis=1).astype(np.intp)
            total = np.cumsum(self.number.take(windows, mode="clip"), axis=1)
            if (total[:, -1] < needed[lanes]).any():
                raise FormatError("Huffman: a lane holds fewer symbols than it should.")
            np.minimum(total, needed[lanes, None], out=total)
            total[:, 1:] -= total[:, :-1].copy()
            keep = self.masks.take(total, mode="clip").view(np.bool_)
            parts.append(self.groups.take(windows, mode="clip").view(self.dtype)[keep])
        return np.concatenate(parts)

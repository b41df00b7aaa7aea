"""Frequency tables of rANS: rounding counts to a power of two, and writing them down.

Leaves out: the coder (:mod:`labkit.coding.rans`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.coding.bits import (
    FormatError,
    Reader,
    Symbols,
    pack_bitmap,
    packed_size_bytes,
    unpack_bitmap,
    varint,
)
from labkit.coding.bitstream import count_symbols
from labkit.coding.huffman import entropy_bits

__all__ = [
    "count_in_context",
    "fit_frequencies",
    "quantize_frequencies",
    "read_table",
    "write_table",
]

PRECISION_BITS = 12  # a table of 4,096 slots stays in the first-level cache
FINE_PRECISION_BITS = 14
MAX_PRECISION_BITS = 16
MAX_SLOTS = 1 << 20  # bounds the memory of a decoder's tables

Ints = NDArray[np.int64]


def quantize_frequencies(counts: ArrayLike, precision_bits: int = PRECISION_BITS) -> Ints:
    """Frequencies ``(alphabet,)`` that sum to 2**precision_bits, at least 1 where a symbol occurs.

    The rounding is the one that costs fewest bits for these counts.

    >>> quantize_frequencies([6, 0, 2, 0], 12).tolist()
    [3072, 0, 1024, 0]

    Raises:
        ValueError: if more symbols occur than there are slots.
    """
    count = np.asarray(counts, np.int64)
    used = count > 0
    slots = 1 << precision_bits
    if used.sum() > slots:
        raise ValueError(f"{int(used.sum())} symbols do not fit {precision_bits} bits of precision.")
    frequencies = np.maximum(count * slots // max(int(count.sum()), 1), used)
    if not used.any():
        return frequencies
    excess = int(frequencies.sum()) - slots
    while True:  # costs are convex, so what no exchange of one slot improves is best
        gain = count * np.log2((frequencies + 1) / np.maximum(frequencies, 1))
        fewer_bits = np.log2(np.maximum(frequencies, 2) / np.maximum(frequencies - 1, 1))
        loss = np.where(frequencies > 1, count * fewer_bits, np.inf)
        taker, giver = np.argmax(gain), np.argmin(loss)
        if excess == 0 and gain[taker] <= loss[giver] * (1 + 1e-9):
            return frequencies
        if excess <= 0:
            frequencies[taker] += 1
        if excess >= 0:
            frequencies[giver] -= 1
        excess -= int(np.sign(excess))


def fit_frequencies(counts: Ints) -> tuple[Ints, int, float]:
    """Frequencies ``(contexts, alphabet)`` for such counts, their precision, the bits they cost.

    The precision is 12 bits, or what a large alphabet needs, or 14 where rare symbols would
    otherwise take 0.1 % more than the entropy.
    """
    used = int((counts > 0).sum(axis=1).max(initial=0))
    if used > 1 << PRECISION_BITS - 2:
        choices = [min((used - 1).bit_length() + 2, MAX_PRECISION_BITS)]
    else:
        choices = [PRECISION_BITS, FINE_PRECISION_BITS]
    for precision_bits in choices:
        frequencies = np.stack([quantize_frequencies(row, precision_bits) for row in counts])
        cost_bits = float((counts * (precision_bits - np.log2(np.maximum(frequencies, 1)))).sum())
        if cost_bits <= 1.001 * sum(entropy_bits(row) * int(row.sum()) for row in counts):
            break
        if len(counts) << FINE_PRECISION_BITS > MAX_SLOTS:
            break
    return frequencies, precision_bits, cost_bits


def count_in_context(symbols: Symbols, contexts: ArrayLike | None, shape: tuple[int, int]) -> Ints:
    """How often each symbol occurs in each context ``(contexts, alphabet)``; without any, in one."""
    if contexts is None:
        return count_symbols(symbols, shape[1])[None]
    context = np.asarray(contexts, np.int64)
    if symbols.size and (int(symbols.max()) >= shape[1] or int(context.max()) >= shape[0]):
        raise ValueError(f"symbol {symbols.max()} or context {context.max()} outside a table of {shape}.")
    return np.bincount(context * shape[1] + symbols, minlength=shape[0] * shape[1]).reshape(shape)


def write_table(frequencies: Ints, precision_bits: int) -> bytes:
    """The table of ``frequencies`` ``(contexts, alphabet)``; each context's last is left out."""
    parts = [bytes([precision_bits])]
    for row in frequencies:
        used = np.flatnonzero(row)
        span = int(used[-1]) + 1 if used.size else 0
        parts += [varint(span), pack_bitmap(row[:span] > 0), *map(varint, row[used[:-1]].tolist())]
    return b"".join(parts)


def read_table(reader: Reader, shape: tuple[int, int]) -> tuple[Ints, int]:
    """The frequencies ``(contexts, alphabet)`` that :func:`write_table` wrote, and their precision.

    Raises:
        FormatError: if the table is cut short or a context's frequencies do not sum to its slots.
    """
    precision_bits = reader.take(1, "frequencies")[0]
    if not 8 <= precision_bits <= MAX_PRECISION_BITS or shape[0] << precision_bits > MAX_SLOTS:
        raise FormatError(f"frequencies of {precision_bits} bits in {shape[0]} contexts.")
    frequencies = np.zeros(shape, np.int64)
    for row in frequencies:
        span = reader.varint("frequencies")
        if span > shape[1]:
            raise FormatError(f"frequencies: symbol {span - 1} in an alphabet of {shape[1]}.")
        bitmap = reader.take(packed_size_bytes(span, 1), "frequencies")
        used = np.flatnonzero(unpack_bitmap(bitmap, span))
        if used.size:
            given = [reader.varint("frequencies") for _ in used[:-1]]
            last = (1 << precision_bits) - sum(given)
            if min(given, default=1) < 1 or last < 1:
                raise FormatError("frequencies: they do not sum to a power of two.")
            row[used] = [*given, last]
    return frequencies, precision_bits

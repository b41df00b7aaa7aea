"""Canonical Huffman codes of limited length (Huffman 1952; Larmore and Hirschberg 1990).

Counts → lengths → code words, with one function for each arrow. Coding a sequence with them, quickly,
is in :mod:`labkit.coding.huffman_stream`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.coding.bits import ByteReader, FormatError, Ints, pack, read_used, write_used

__all__ = [
    "MAX_LENGTH_BITS",
    "average_length_bits",
    "canonical_codes",
    "code_lengths",
    "code_strings",
    "entropy_bits",
    "read_lengths",
    "reversed_codes",
    "write_lengths",
]

MAX_LENGTH_BITS = 16  # a decoder looks at 3 bytes: 7 bits of offset and up to 17 of code


def entropy_bits(counts: ArrayLike) -> float:
    """Shannon entropy of the relative frequencies, in bits per symbol; 0 for no symbols at all.

    >>> entropy_bits([2, 1, 1])
    1.5
    """
    count = _as_counts(counts).astype(float)
    share = count[count > 0] / max(count.sum(), 1.0)
    return float(-(share * np.log2(share)).sum()) + 0.0  # subtle: −0.0 + 0.0 is 0.0


def average_length_bits(counts: ArrayLike, lengths: ArrayLike) -> float:
    """Mean length of the code words that a sequence with these counts uses, in bits per symbol.

    >>> average_length_bits([2, 1, 1], [1, 2, 2])
    1.5

    Raises:
        ValueError: if the two differ in length.
    """
    count, length = _as_counts(counts), np.asarray(lengths)
    if count.shape != length.shape:
        raise ValueError(f"{count.size} counts, but {length.size} lengths; give one of each per symbol.")
    return float(count @ length.astype(np.int64)) / max(int(count.sum()), 1)


def code_lengths(counts: ArrayLike, *, limit_bits: int = MAX_LENGTH_BITS) -> NDArray[np.uint8]:
    """Code lengths of least total, none above ``limit_bits``, by package-merge.

    Where the limit does not bind this is Huffman's optimum. A symbol that does not occur has
    length 0, and so has the only one that does: a constant sequence needs no bits.

    Args:
        counts: how often each symbol occurs ``(alphabet,)``.
        limit_bits: the longest code word allowed, 1–16.

    Returns:
        Lengths ``(alphabet,)`` in bits.

    Raises:
        ValueError: if a count is negative or the used symbols need longer words than the limit.

    >>> code_lengths([5, 2, 1, 1]).tolist()
    [1, 2, 3, 3]
    """
    count = _as_counts(counts)
    if not 1 <= limit_bits <= MAX_LENGTH_BITS:
        raise ValueError(f"the length limit must be 1 to {MAX_LENGTH_BITS} bits, not {limit_bits}.")
    used = np.flatnonzero(count)
    lengths = np.zeros(count.size, np.uint8)
    if used.size < 2:
        return lengths
    if used.size > 1 << limit_bits:
        raise ValueError(f"{used.size} symbols need code words longer than {limit_bits} bits.")
    order = used[np.argsort(count[used], kind="stable")]  # rarest first
    lengths[order] = _package_merge(count[order], limit_bits)
    return lengths


def canonical_codes(lengths: ArrayLike) -> NDArray[np.uint32]:
    """Code words from their lengths alone: shorter words first, equal lengths by symbol.

    The first bit sent is the highest of the ``lengths[s]`` bits of word ``s``.

    >>> canonical_codes([1, 2, 3, 3]).tolist()
    [0, 2, 6, 7]
    """
    length = np.asarray(lengths, np.int64)
    order = np.lexsort((np.arange(length.size), length))
    order = order[length[order] > 0]
    spans = 1 << (MAX_LENGTH_BITS - length[order])  # share of all 16-bit strings each word begins
    starts = np.cumsum(spans) - spans
    codes = np.zeros(length.size, np.uint32)
    codes[order] = starts >> (MAX_LENGTH_BITS - length[order])
    return codes


def code_strings(lengths: ArrayLike) -> list[str]:
    """The canonical code words as strings of 0 and 1; empty for a symbol without one.

    >>> code_strings([1, 2, 3, 3])
    ['0', '10', '110', '111']
    """
    codes = canonical_codes(lengths)
    return [
        format(int(code), f"0{length}b") if length else ""
        for code, length in zip(codes, np.asarray(lengths).tolist(), strict=True)
    ]


def reversed_codes(lengths: ArrayLike) -> NDArray[np.uint32]:
    """The canonical code words with the first bit sent as the lowest.

    >>> reversed_codes([1, 2, 3, 3]).tolist()
    [0, 1, 3, 7]
    """
    codes = canonical_codes(lengths)
    length = np.asarray(lengths, np.int64)
    mirrored = np.zeros_like(codes)
    for bit in range(MAX_LENGTH_BITS):
        mirrored |= ((codes >> bit) & 1) << (MAX_LENGTH_BITS - 1 - bit)
    return mirrored >> (MAX_LENGTH_BITS - length).astype(np.uint32)


def write_lengths(lengths: NDArray[np.uint8], used: NDArray[np.bool_]) -> bytes:
    """Write a code's table: which symbols are used, and four bits for the length of each."""
    return write_used(used) + (pack(lengths[used] - 1, 4) if used.sum() > 1 else b"")


def read_lengths(reader: ByteReader, alphabet_size: int) -> tuple[NDArray[np.uint8], Ints]:
    """Read the lengths ``(alphabet_size,)`` that :func:`write_lengths` wrote, and the used symbols.

    Raises:
        FormatError: if the table is cut short or is not a complete prefix code.
    """
    used = read_used(reader, alphabet_size)
    lengths = np.zeros(alphabet_size, np.uint8)
    if used.size > 1:
        used_lengths = reader.unpack(used.size, 4, "code lengths").astype(np.int64) + 1
        lengths[used] = used_lengths
        if (1 << MAX_LENGTH_BITS - used_lengths).sum() != 1 << MAX_LENGTH_BITS:
            raise FormatError("code lengths: not those of a complete prefix code.")
    return lengths, used


def _package_merge(weights: Ints, limit_bits: int) -> NDArray[np.uint8]:
    """Lengths ``(n,)`` for ascending ``weights``: the coin collector's problem, level by level.

    A level's list holds the symbols and the pairs of the list below, by weight. Of the top list
    2n − 2 entries are needed; of the list below, twice as many as there are pairs among them.
    """
    is_symbol: list[NDArray[np.bool_]] = []
    pairs = np.zeros(0, np.int64)
    for _ in range(limit_bits):
        merged = np.concatenate([weights, pairs])
        order = np.argsort(merged, kind="stable")
        is_symbol.append(order < weights.size)
        merged = merged[order]
        pairs = merged[: merged.size // 2 * 2].reshape(-1, 2).sum(axis=1)
    lengths = np.zeros(weights.size, np.uint8)
    needed = 2 * weights.size - 2
    for level in reversed(is_symbol):
        symbols = int(level[:needed].sum())
        lengths[:symbols] += 1
        needed = 2 * (needed - symbols)
    return lengths


def _as_counts(counts: ArrayLike) -> Ints:
    """Counts as a flat int64 array."""
    count = np.asarray(counts)
    if count.size and (count.dtype.kind not in "iu" or count.min() < 0 or count.ndim != 1):
        raise ValueError(
            f"counts must be non-negative integers (alphabet,), got {count.dtype} {count.shape} "
            f"from {count.min()}."
        )
    return count.astype(np.int64)

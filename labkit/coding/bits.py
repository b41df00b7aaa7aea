"""Bits and bytes: n-bit integers, variable-length integers and a reader that checks bounds.

Everything is little-endian, and the first bit of a sequence is the lowest bit of the first byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FormatError",
    "Ints",
    "ByteReader",
    "Symbols",
    "count_symbols",
    "index_dtype",
    "pack",
    "packed_size_bytes",
    "read_used",
    "varint",
    "write_used",
]

MAX_WIDTH_BITS = 32
MAX_VARINT_BYTES = 9  # 63 bits
_BLOCK = 1 << 16  # integers at a time, a multiple of 8, to bound memory

Symbols = NDArray[Any]  # uint8 for up to 256 letters, else uint16
Ints = NDArray[np.int64]


class FormatError(ValueError):
    """The error for bytes that break a rule of the format: damaged, cut short, foreign or hostile."""


def varint(value: int) -> bytes:
    """Write an integer at seven bits per byte, lowest first, the top bit set in all but the last (LEB128).

    >>> varint(300).hex()
    'ac02'

    Raises:
        ValueError: if ``value`` is not in [0, 2**63).
    """
    if not 0 <= value < 1 << 7 * MAX_VARINT_BYTES:
        raise ValueError(f"varint takes an integer in [0, 2**63), got {value}.")
    content = bytearray()
    while value >= 0x80:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)


def index_dtype(alphabet_size: int) -> type[np.uint8] | type[np.uint16]:
    """Return the type that decoded symbols in [0, alphabet_size) have.

    Raises:
        ValueError: if there are more than 65,536 symbols.
    """
    if not 0 <= alphabet_size <= 1 << 16:
        raise ValueError(f"an alphabet has 0 to 65,536 symbols, got {alphabet_size}.")
    return np.uint8 if alphabet_size <= 1 << 8 else np.uint16


def packed_size_bytes(count: int, width_bits: int) -> int:
    """Return the number of bytes that ``count`` integers of ``width_bits`` bits take.

    >>> packed_size_bytes(3, 5)
    2
    """
    return (count * width_bits + 7) // 8


def pack(values: ArrayLike, width_bits: int) -> bytes:
    """Pack unsigned integers ``(n,)`` at ``width_bits`` bits each, without gaps.

    :meth:`ByteReader.unpack` is its inverse.

    >>> pack([1, 2, 3], 5).hex()
    '410c'

    Raises:
        ValueError: if the width is not in 0–32 or a value does not fit it.
        TypeError: if the values are not integers.
    """
    if not 0 <= width_bits <= MAX_WIDTH_BITS:
        raise ValueError(f"a width must be 0 to {MAX_WIDTH_BITS} bits, got {width_bits}.")
    array = np.asarray(values).reshape(-1)
    if array.size and array.dtype.kind not in "biu":
        raise TypeError(f"pack takes integers, got {array.dtype}.")
    if array.size and (array.min() < 0 or int(array.max()) >> width_bits):
        raise ValueError(
            f"pack at {width_bits} bits takes 0 to {(1 << width_bits) - 1}, "
            f"got {array.min()} to {array.max()}."
        )
    shifts = np.arange(width_bits, dtype=np.uint32)
    blocks = (array[start : start + _BLOCK].astype(np.uint32) for start in range(0, array.size, _BLOCK))
    bits = ((block[:, None] >> shifts & 1).astype(np.uint8) for block in blocks)
    return b"".join(np.packbits(block, bitorder="little").tobytes() for block in bits)


class ByteReader:
    """A cursor over bytes; every read past the end raises :class:`FormatError`."""

    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)
        self.position = 0

    @property
    def left_bytes(self) -> int:
        """The number of bytes that have not been read."""
        return len(self.data) - self.position

    def take(self, count: int, what: str) -> bytes:
        """Read the next ``count`` bytes; ``what`` names them in an error."""
        if count > self.left_bytes:
            raise FormatError(f"{what}: {count} bytes expected, {self.left_bytes} are left.")
        self.position += count
        return bytes(self.data[self.position - count : self.position])

    def varint(self, what: str) -> int:
        """Read the next integer that :func:`varint` wrote."""
        value = 0
        for index in range(MAX_VARINT_BYTES):
            byte = self.take(1, what)[0]
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value
        raise FormatError(f"{what}: an integer of more than {MAX_VARINT_BYTES} bytes.")

    def unpack(self, count: int, width_bits: int, what: str) -> NDArray[np.uint32]:
        """Read the next integers ``(count,)`` of ``width_bits`` bits that :func:`pack` packed.

        >>> ByteReader(bytes.fromhex("410c")).unpack(3, 5, "levels").tolist()
        [1, 2, 3]
        """
        if width_bits > MAX_WIDTH_BITS:
            raise FormatError(f"{what}: integers of {width_bits} bits; at most {MAX_WIDTH_BITS} fit.")
        data = self.take(packed_size_bytes(count, width_bits), what)
        used_bits = count * width_bits % 8
        if used_bits and data[-1] >> used_bits:
            raise FormatError(f"{what}: a padding bit after the last integer is set.")
        values = np.zeros(count, np.uint32)
        content = np.frombuffer(data, np.uint8)
        shifts = np.arange(width_bits, dtype=np.uint32)
        for start in range(0, count if width_bits else 0, _BLOCK):
            n = min(_BLOCK, count - start)
            block = content[start // 8 * width_bits :]
            bits = np.unpackbits(
                block[: packed_size_bytes(n, width_bits)], count=n * width_bits, bitorder="little"
            )
            shifted = bits.reshape(n, width_bits).astype(np.uint32) << shifts
            values[start : start + n] = shifted.sum(axis=1, dtype=np.uint32)
        return values

    def finish(self, what: str) -> None:
        """Raise :class:`FormatError` if bytes are left."""
        if self.left_bytes:
            raise FormatError(f"{what}: {self.left_bytes} bytes more than expected.")


def count_symbols(symbols: Symbols, alphabet_size: int) -> Ints:
    """Count how often each symbol occurs ``(alphabet_size,)``.

    >>> count_symbols(np.array([2, 0, 2]), 4).tolist()
    [1, 0, 2, 0]

    Raises:
        ValueError: if a symbol is not in the alphabet.
    """
    counts = np.bincount(symbols, minlength=alphabet_size)
    if counts.size > alphabet_size:
        raise ValueError(f"symbol {counts.size - 1} in an alphabet of {alphabet_size}.")
    return counts


def write_used(used: NDArray[np.bool_]) -> bytes:
    """Write which symbols occur: one more than the largest, and one bit for each below that."""
    span = int(used.nonzero()[0].max(initial=-1)) + 1
    return varint(span) + pack(used[:span], 1)


def read_used(reader: ByteReader, alphabet_size: int) -> Ints:
    """Read the symbols that :func:`write_used` wrote, ascending.

    Raises:
        FormatError: if one is outside the alphabet or the bitmap ends in a zero.
    """
    span = reader.varint("used symbols")
    if span > alphabet_size:
        raise FormatError(f"used symbols: {span - 1} in an alphabet of {alphabet_size}.")
    used = np.flatnonzero(reader.unpack(span, 1, "used symbols"))
    if span and (not used.size or used[-1] != span - 1):
        raise FormatError("used symbols: the last of the bitmap is unused.")
    return used

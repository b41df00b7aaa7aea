"""Bits and bytes: n-bit integers, bitmaps, variable-length integers and a reader that checks bounds.

Everything is little-endian, and the first bit of a sequence is the lowest bit of the first byte.
Leaves out: codes whose words differ in length (:mod:`labkit.coding.huffman`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FormatError",
    "Reader",
    "Symbols",
    "index_dtype",
    "pack",
    "pack_bitmap",
    "packed_size_bytes",
    "unpack",
    "unpack_bitmap",
    "varint",
]

MAX_WIDTH_BITS = 32
MAX_VARINT_BYTES = 9  # 63 bits
_BLOCK = 1 << 16  # integers at a time, a multiple of 8, to bound memory

Symbols = NDArray[Any]  # uint8 for up to 256 letters, else uint16


class FormatError(ValueError):
    """Bytes that are not what they should be: damaged, cut short, foreign or hostile."""


class Reader:
    """A cursor over bytes; every read past the end raises :class:`FormatError`."""

    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)
        self.position = 0

    @property
    def left_bytes(self) -> int:
        """How many bytes have not been read."""
        return len(self.data) - self.position

    def take(self, count: int, what: str) -> bytes:
        """The next ``count`` bytes."""
        if count > self.left_bytes:
            raise FormatError(f"{what}: {count} bytes expected, {self.left_bytes} are left.")
        self.position += count
        return bytes(self.data[self.position - count : self.position])

    def varint(self, what: str) -> int:
        """The next integer that :func:`varint` wrote."""
        value = 0
        for index in range(MAX_VARINT_BYTES):
            byte = self.take(1, what)[0]
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value
        raise FormatError(f"{what}: an integer of more than {MAX_VARINT_BYTES} bytes.")

    def finish(self, what: str) -> None:
        """Check that nothing is left."""
        if self.left_bytes:
            raise FormatError(f"{what}: {self.left_bytes} bytes more than expected.")


def varint(value: int) -> bytes:
    """Seven bits a byte, lowest first, the top bit set in all but the last (LEB128).

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
    """The type that decoded symbols in [0, alphabet_size) have.

    Raises:
        ValueError: if there are more than 65,536 symbols.
    """
    if not 0 <= alphabet_size <= 1 << 16:
        raise ValueError(f"an alphabet has at most 65,536 symbols, not {alphabet_size}.")
    return np.uint8 if alphabet_size <= 1 << 8 else np.uint16


def packed_size_bytes(count: int, width_bits: int) -> int:
    """Bytes that ``count`` integers of ``width_bits`` bits take.

    >>> packed_size_bytes(3, 5)
    2
    """
    return (count * width_bits + 7) // 8


def pack(values: ArrayLike, width_bits: int) -> bytes:
    """Pack unsigned integers ``(n,)`` at ``width_bits`` bits each, without gaps.

    >>> pack([1, 2, 3], 5).hex()
    '410c'

    Raises:
        ValueError: if the width is not in 0–32 or a value does not fit it.
        TypeError: if the values are not integers.
    """
    _check_width(width_bits)
    array = np.asarray(values).reshape(-1)
    if array.size and array.dtype.kind not in "biu":
        raise TypeError(f"pack takes integers, got {array.dtype}.")
    if array.size and (array.min() < 0 or int(array.max()) >> width_bits):
        raise ValueError(
            f"pack at {width_bits} bits takes 0 to {(1 << width_bits) - 1}, "
            f"got {array.min()} to {array.max()}."
        )
    shifts = np.arange(width_bits, dtype=np.uint32)
    blocks = (array[start : start + _BLOCK] for start in range(0, array.size, _BLOCK))
    return b"".join(
        np.packbits(
            (block.astype(np.uint32)[:, None] >> shifts & 1).astype(np.uint8), bitorder="little"
        ).tobytes()
        for block in blocks
    )


def unpack(data: bytes, width_bits: int, count: int) -> NDArray[np.uint32]:
    """The integers ``(count,)`` that :func:`pack` packed.

    >>> unpack(bytes.fromhex("410c"), 5, 3).tolist()
    [1, 2, 3]

    Raises:
        ValueError: if the width is not in 0–32.
        FormatError: if ``data`` has not exactly the bytes needed, or a padding bit is set.
    """
    _check_width(width_bits)
    if len(data) != packed_size_bytes(count, width_bits):
        raise FormatError(
            f"{count} integers of {width_bits} bits take {packed_size_bytes(count, width_bits)} bytes, "
            f"not {len(data)}."
        )
    used_bits = count * width_bits % 8
    if used_bits and data[-1] >> used_bits:
        raise FormatError("a padding bit after the last integer is set.")
    values = np.zeros(count, np.uint32)
    content = np.frombuffer(data, np.uint8)
    shifts = np.arange(width_bits, dtype=np.uint32)
    for start in range(0, count if width_bits else 0, _BLOCK):
        n = min(_BLOCK, count - start)
        first = start // 8 * width_bits
        block = content[first : first + packed_size_bytes(n, width_bits)]
        bits = np.unpackbits(block, count=n * width_bits, bitorder="little").reshape(n, width_bits)
        values[start : start + n] = (bits.astype(np.uint32) << shifts).sum(axis=1, dtype=np.uint32)
    return values


def pack_bitmap(mask: ArrayLike) -> bytes:
    """One bit for each entry of ``mask``, in C order.

    >>> pack_bitmap([True, False, True]).hex()
    '05'
    """
    return np.packbits(np.asarray(mask, bool).reshape(-1), bitorder="little").tobytes()


def unpack_bitmap(data: bytes, count: int) -> NDArray[np.bool_]:
    """The mask ``(count,)`` that :func:`pack_bitmap` packed.

    Raises:
        FormatError: if ``data`` has not exactly the bytes needed, or a padding bit is set.
    """
    if len(data) != packed_size_bytes(count, 1):
        raise FormatError(
            f"a bitmap of {count} takes {packed_size_bytes(count, 1)} bytes, not {len(data)}."
        )
    if count % 8 and data[-1] >> count % 8:
        raise FormatError("a padding bit after the bitmap is set.")
    content = np.frombuffer(data, np.uint8)
    return np.unpackbits(content, count=count, bitorder="little").view(np.bool_)


def _check_width(width_bits: int) -> None:
    """Refuse a width outside 0–32."""
    if not 0 <= width_bits <= MAX_WIDTH_BITS:
        raise ValueError(f"a width must be 0 to {MAX_WIDTH_BITS} bits, not {width_bits}.")

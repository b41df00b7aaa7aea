"""Huffman-coded sequences: one ordinary bit stream with entry points, decoded many lanes at a time.

The sequence is cut into lanes of equal length. Their bits follow each other without a gap, and the
index of lane lengths lets a decoder walk all lanes in lock step, with one NumPy call per step for all
lanes. A step looks up :data:`WINDOW_BITS` or more bits at once and finds up to eight symbols there.
An encoder needs no lanes: it joins code words in pairs and fours, then adds them into 64-bit words.

Layout: code table, symbols per lane / 4, lane index (least length, width, excesses), bits. The number
of symbols is not stored: the caller keeps it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.coding.bits import (
    ByteReader,
    FormatError,
    Ints,
    Symbols,
    count_symbols,
    index_dtype,
    pack,
    packed_size_bytes,
    varint,
)
from labkit.coding.huffman import code_lengths, read_lengths, reversed_codes, write_lengths

__all__ = ["decode", "encode"]

WINDOW_BITS = 12  # a table of 4,096 entries stays in the first-level cache
MAX_LANES = 4096
BITS_A_LANE = 1300  # about 0.8 % of the size goes to the lane index
_BLOCK = 1 << 17  # symbols encoded at a time, to stay in cache
_LANES_A_BLOCK = 128  # lanes decoded at a time, likewise


def encode(symbols: ArrayLike, alphabet_size: int, *, lanes: int | None = None) -> bytes:
    """Code integers ``(n,)`` in [0, alphabet_size) with the best Huffman code for their counts.

    Args:
        symbols: the sequence, flattened in C order.
        alphabet_size: at most 65,536.
        lanes: how many parts to decode at once; about 0.8 % of the size is spent on them by default.

    Returns:
        The code table, the lane index and the bits.

    Raises:
        ValueError: if a symbol is outside the alphabet.
    """
    array = np.ascontiguousarray(symbols, index_dtype(alphabet_size)).reshape(-1)
    counts = count_symbols(array, alphabet_size)
    used = counts > 0
    lengths = code_lengths(counts, limit_bits=max(WINDOW_BITS, int(used.sum() - 1).bit_length()))
    table = write_lengths(lengths, used)
    if used.sum() < 2:
        return table
    total_bits = int(counts @ lengths.astype(np.int64))
    lanes = min(max(lanes or total_bits // BITS_A_LANE, 1), MAX_LANES)
    fours = -(-array.size // (4 * lanes))  # fours of symbols in a lane
    bits, ends = _join_codes(array, lengths, total_bits)
    lane_bits = np.diff(np.append(ends[fours - 1 : -1 : fours], ends[-1]), prepend=0)
    least = int(lane_bits.min())
    width_bits = int(lane_bits.max() - least).bit_length()
    index = varint(fours) + varint(least) + bytes([width_bits]) + pack(lane_bits - least, width_bits)
    return table + index + bits


def decode(data: bytes, count: int, alphabet_size: int) -> Symbols:
    """Decode the ``count`` symbols that :func:`encode` coded, uint8 up to 256 letters, else uint16.

    A damaged bit that leaves every lane's length plausible decodes to other symbols: who stores
    the bytes adds a checksum.

    Raises:
        FormatError: if the bytes are not an encoding of ``count`` symbols.
    """
    reader = ByteReader(data)
    lengths, used = read_lengths(reader, alphabet_size)
    dtype = np.dtype(index_dtype(alphabet_size))
    if used.size < 2 or not count:
        if bool(used.size) != bool(count):
            raise FormatError(f"Huffman: {used.size} used symbols in a sequence of {count}.")
        reader.finish("Huffman")
        return np.full(count, used[0] if count else 0, dtype)
    needed, lane_bits = _read_lane_index(reader, count, lengths[used])
    total_bits = int(lane_bits.sum())
    bits = reader.take(packed_size_bytes(total_bits, 1), "Huffman bits")
    reader.finish("Huffman")
    tables = _window_tables(lengths, used, dtype, total_bits / count)
    return _expand(_walk_lanes(bits, lane_bits, tables), tables, needed, dtype)


def _join_codes(symbols: Symbols, lengths: NDArray[np.uint8], total_bits: int) -> tuple[bytes, Ints]:
    """All code words one after another, and where every fourth ends, the last one included."""
    codes, code_bits = reversed_codes(lengths).astype(np.uint64), lengths.astype(np.uint64)
    stream = np.zeros(total_bits // 64 + 2, np.uint64)
    all_ends, offset = [], 0
    for first in range(0, symbols.size, _BLOCK):
        part = symbols[first : first + _BLOCK].astype(np.intp)
        word, size = (table.take(part, mode="clip") for table in (codes, code_bits))
        if part.size % 4:  # no bits follow the last symbol
            word, size = (np.append(table, np.zeros(-part.size % 4, np.uint64)) for table in (word, size))
        for _ in range(2):
            word = word[0::2] | word[1::2] << size[0::2]
            size = size[0::2] + size[1::2]
        ends = offset + np.cumsum(size.view(np.int64))
        starts = ends - size.view(np.int64)
        offset = int(ends[-1])
        place, shift = starts >> 6, (starts & 63).view(np.uint64)
        np.add.at(stream, place, word << shift)
        over = np.flatnonzero(shift + size > 64)
        np.add.at(stream, place[over] + 1, word[over] >> (64 - shift[over]))  # what did not fit
        all_ends.append(ends)
    return stream.astype("<u8").tobytes()[: packed_size_bytes(total_bits, 1)], np.concatenate(all_ends)


def _read_lane_index(reader: ByteReader, count: int, lengths: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """Symbols and bits of each lane, checked against the shortest and longest code word."""
    lane_size = 4 * reader.varint("Huffman lane size")
    if not 4 <= lane_size < count + 4:
        raise FormatError(f"Huffman: lanes of {lane_size} symbols in a sequence of {count}.")
    needed = np.full(-(-count // lane_size), lane_size)
    needed[-1] += count - int(needed.sum())
    least = min(reader.varint("Huffman lane index"), 1 << 40)
    width_bits = reader.take(1, "Huffman lane index")[0]
    lane_bits = least + reader.unpack(needed.size, width_bits, "Huffman lane index").astype(np.int64)
    if (lane_bits < needed * int(lengths.min())).any() or (lane_bits > needed * int(lengths.max())).any():
        raise FormatError("Huffman: a lane is longer or shorter than its code words allow.")
    return needed, lane_bits


class _Tables(NamedTuple):
    """What a window of the next ``bits`` bits holds ``(2**bits,)``."""

    bits: int
    symbols: NDArray[Any]  # up to eight whole symbols, in one integer
    number: Ints  # how many they are
    consumed_bits: Ints


def _window_tables(
    lengths: NDArray[np.uint8], used: Ints, dtype: np.dtype[Any], average_bits: float
) -> _Tables:
    """Tables that read several code words at once: as many as fit eight bytes and an average window."""
    bits = max(WINDOW_BITS, int(lengths.max()))
    most = 1
    while most * 2 * dtype.itemsize <= 8 and most * 2 * average_bits <= bits:
        most *= 2
    symbol, length = np.zeros(1 << bits, np.uint64), np.zeros(1 << bits, np.int64)
    codes = reversed_codes(lengths)
    for letter in used.tolist():
        matches = slice(int(codes[letter]), None, 1 << int(lengths[letter]))
        symbol[matches], length[matches] = letter, lengths[letter]
    rest = np.arange(1 << bits)
    consumed_bits, number = np.zeros((2, rest.size), np.int64)
    symbols = np.zeros_like(symbol)
    for place in range(most):
        step = length[rest]
        whole = (number == place) & (consumed_bits + step <= bits)
        symbols |= symbol[rest] * whole << np.uint64(8 * dtype.itemsize * place)
        number += whole
        consumed_bits += step * whole
        rest >>= step * whole
    return _Tables(bits, symbols.astype(f"<u{most * dtype.itemsize}"), number, consumed_bits)


def _walk_lanes(bits: bytes, lane_bits: Ints, tables: _Tables) -> NDArray[np.uint16]:
    """The windows that each lane sees, step by step ``(steps, lanes)``."""
    padded = bits + bytes(8)
    windows = np.empty(len(bits) + 4, np.int64)  # the four bytes from each byte on
    for first in range(4):
        part = windows[first::4]
        part[:] = np.frombuffer(padded, "<u4", part.size, first)
    ends = np.cumsum(lane_bits)
    position = ends - lane_bits
    byte, window, shift = np.empty((3, lane_bits.size), np.int64)
    three, seven, mask = (np.array(value) for value in (3, 7, (1 << tables.bits) - 1))  # faster than int
    rounds = []
    while (left_bits := int((ends - position).max())) > 0:
        seen = np.empty((-(-left_bits // tables.bits), lane_bits.size), np.uint16)
        for row in seen:
            np.right_shift(position, three, out=byte)
            windows.take(byte, mode="clip", out=window)  # a finished lane may run on past the end
            np.bitwise_and(position, seven, out=shift)
            np.right_shift(window, shift, out=window)
            np.bitwise_and(window, mask, out=window)
            row[:] = window
            tables.consumed_bits.take(window, mode="clip", out=byte)
            position += byte
        rounds.append(seen)
    return np.concatenate(rounds)


def _expand(seen: NDArray[np.uint16], tables: _Tables, needed: Ints, dtype: np.dtype[Any]) -> Symbols:
    """The first ``needed[lane]`` symbols of each lane, lane after lane."""
    most = tables.symbols.itemsize // dtype.itemsize
    ones = (np.arange(most) < np.arange(most + 1)[:, None]).view(np.uint8)
    masks = ones.view(f"<u{most}").reshape(-1)  # [number] → that many true bytes
    parts = []
    for first in range(0, needed.size, _LANES_A_BLOCK):
        lanes = slice(first, first + _LANES_A_BLOCK)
        windows = seen[:, lanes].T.astype(np.intp, order="C")
        total = np.cumsum(tables.number.take(windows, mode="clip"), axis=1)
        if (total[:, -1] < needed[lanes]).any():
            raise FormatError("Huffman: a lane holds fewer symbols than it should.")
        np.minimum(total, needed[lanes, None], out=total)
        total[:, 1:] -= total[:, :-1].copy()
        keep = masks.take(total, mode="clip").view(np.bool_)
        parts.append(tables.symbols.take(windows, mode="clip").view(dtype)[keep])
    return np.concatenate(parts)

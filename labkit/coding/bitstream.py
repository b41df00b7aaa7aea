"""Huffman-coded sequences: one ordinary bit stream with entry points, decoded many lanes at a time.

The sequence is cut into lanes of equal length. Their bits follow each other without a gap, and the
index of lane lengths lets a decoder walk all lanes in lock step, one NumPy call for a step of every
lane. A step looks up :data:`WINDOW_BITS` or more bits at once and finds up to eight symbols there.
An encoder needs no lanes: it joins code words in pairs and fours, then adds them into 64-bit words.

Layout: code table, symbols a lane / 4, lane index (least length, width, excesses), bits.
Leaves out: the number of symbols, which the caller keeps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.coding.bits import (
    FormatError,
    Reader,
    Symbols,
    index_dtype,
    pack,
    packed_size_bytes,
    unpack,
    varint,
)
from labkit.coding.huffman import code_lengths, read_lengths, reversed_codes, write_lengths
from labkit.coding.windows import WINDOW_BITS, WindowTables

__all__ = ["count_symbols", "decode", "encode"]

MAX_LANES = 4096
_BLOCK = 1 << 17  # symbols encoded at a time, to stay in cache

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]


def count_symbols(symbols: Symbols, alphabet_size: int) -> Ints:
    """How often each symbol occurs ``(alphabet_size,)``, in blocks that stay in cache.

    Raises:
        ValueError: if a symbol is not in the alphabet.
    """
    counts = np.zeros(alphabet_size, np.int64)
    for start in range(0, symbols.size, _BLOCK):
        part = np.bincount(symbols[start : start + _BLOCK], minlength=alphabet_size)
        if part.size > alphabet_size:
            raise ValueError(f"symbol {part.size - 1} in an alphabet of {alphabet_size}.")
        counts += part
    return counts


def encode(
    symbols: ArrayLike, alphabet_size: int, *, counts: Ints | None = None, lanes: int | None = None
) -> bytes:
    """Code integers ``(n,)`` in [0, alphabet_size) with the best Huffman code for their counts.

    Args:
        symbols: the sequence, flattened in C order.
        alphabet_size: at most 65,536.
        counts: how often each symbol occurs, if already known.
        lanes: how many parts to decode at once; about 0.8 % of the size is spent on them by default.

    Returns:
        The code table, the lane index and the bits.

    Raises:
        ValueError: if a symbol is outside the alphabet or ``counts`` has none of it.
    """
    array = np.ascontiguousarray(symbols, index_dtype(alphabet_size)).reshape(-1)
    if counts is None:
        counts = count_symbols(array, alphabet_size)
    used = counts > 0
    limit_bits = max(WINDOW_BITS, int(used.sum() - 1).bit_length())
    lengths = code_lengths(counts, limit_bits=limit_bits)
    table = write_lengths(lengths, used)
    if used.sum() < 2:
        return table
    if lanes is None:
        lanes = int(counts @ lengths.astype(np.int64)) // 1300
    lane_size = 4 * -(-array.size // (4 * min(max(lanes, 1), MAX_LANES)))
    lane_bits, bits = _join_codes(array, lengths, lane_size)
    least = int(lane_bits.min())
    width_bits = int(lane_bits.max() - least).bit_length()
    index = varint(lane_size // 4) + varint(least) + bytes([width_bits])
    return table + index + pack(lane_bits - least, width_bits) + bits


def decode(data: bytes, count: int, alphabet_size: int) -> Symbols:
    """The ``count`` symbols that :func:`encode` coded, uint8 up to 256 letters, else uint16.

    A damaged bit that leaves every lane's length plausible decodes to other symbols: who stores
    the bytes adds a checksum.

    Raises:
        FormatError: if the bytes are not an encoding of ``count`` symbols.
    """
    reader = Reader(data)
    lengths, used = read_lengths(reader, alphabet_size)
    dtype = index_dtype(alphabet_size)
    if used.sum() < 2 or not count:
        if bool(used.any()) != bool(count):
            raise FormatError(f"Huffman: {int(used.sum())} used symbols in a sequence of {count}.")
        reader.finish("Huffman")
        return np.full(count, np.argmax(used), dtype)
    lane_size, lane_bits = _read_lane_index(reader, count, lengths[used])
    size_bytes = packed_size_bytes(int(lane_bits.sum()), 1)
    bits = reader.take(size_bytes, "Huffman bits")
    reader.finish("Huffman")
    tables = WindowTables(lengths, used, dtype, int(lane_bits.sum()) / count)
    steps = _walk_lanes(bits, lane_bits, tables)
    needed = np.full(lane_bits.size, lane_size)
    needed[-1] = count - lane_size * (lane_bits.size - 1)
    return tables.expand(steps, needed)


def _join_codes(symbols: Symbols, lengths: NDArray[np.uint8], lane_size: int) -> tuple[Ints, bytes]:
    """Bits of each lane, and all the code words one after another."""
    tables = _joint_tables(symbols.dtype, lengths)
    block = lane_size * max(1, _BLOCK // lane_size)
    lane_ends: list[Ints] = []
    parts, offset = [], 0
    for start in range(0, symbols.size, block):
        part = symbols[start : start + block]
        padding = -part.size % 4
        if padding:
            part = np.append(part, np.repeat(part[-1:], padding))
        first_word, words, ends = _join_block(part, tables, offset)
        if padding:
            ends[-1] -= padding * int(lengths[part[-1]])
        lane_ends.append(ends[lane_size // 4 - 1 :: lane_size // 4])
        if ends.size % (lane_size // 4):
            lane_ends.append(ends[-1:])
        parts.append((first_word, words))
        offset = int(ends[-1])
    stream = np.zeros(offset // 64 + 3, np.uint64)
    for first_word, words in parts:
        stream[first_word : first_word + words.size] |= words
    content = bytearray(stream.astype("<u8", copy=False).tobytes()[: packed_size_bytes(offset, 1)])
    if offset % 8:
        content[-1] &= (1 << offset % 8) - 1  # what the padding left there
    return np.diff(np.concatenate(lane_ends), prepend=0).astype(np.int64), bytes(content)


def _joint_tables(dtype: np.dtype[Any], lengths: NDArray[np.uint8]) -> tuple[Words, Words]:
    """Code words and lengths of single symbols; for bytes, of pairs seen as one 16-bit integer."""
    codes = reversed_codes(lengths).astype(np.uint64)
    length = np.where(lengths > 0, lengths, 128).astype(np.uint64)  # above any total of four
    if dtype != np.uint8:
        return codes, length
    span = int(np.flatnonzero(lengths)[-1]) + 1
    first_codes, first_length = np.zeros((2, 256), np.uint64)
    first_codes[:span], first_length[:span] = codes[:span], length[:span]
    shift = np.minimum(first_length, 63)
    pair_codes = first_codes | codes[:span, None] << shift  # (second, first)
    return pair_codes.reshape(-1), (first_length + length[:span, None]).reshape(-1)


def _join_block(symbols: Symbols, tables: tuple[Words, Words], offset: int) -> tuple[int, Words, Ints]:
    """Code a multiple of four symbols at bit ``offset``: first word's index, words, ends of fours."""
    index = (symbols.view("<u2") if symbols.dtype == np.uint8 else symbols).astype(np.intp)
    if int(index.max()) >= tables[0].size:
        raise ValueError("a symbol has no code word: the counts are not those of the symbols.")
    codes, length = (table.take(index, mode="clip") for table in tables)
    while codes.size > symbols.size // 4:
        codes = codes[0::2] | codes[1::2] << length[0::2]
        length = length[0::2] + length[1::2]
    if int(length.max()) > 64:
        raise ValueError("a symbol has no code word: the counts are not those of the symbols.")
    steps = length.view(np.int64)
    ends = np.cumsum(steps)
    ends += offset
    starts = ends - steps
    word = starts >> 6
    shift = (starts & 63).view(np.uint64)
    first = np.flatnonzero(word[1:] != word[:-1]) + 1
    first = np.concatenate([[0], first])
    last = np.append(first[1:], word.size) - 1  # the only one in its word that can reach the next
    words = np.zeros(int(word[-1] - word[0]) + 2, np.uint64)
    place = word[first] - word[0]
    words[place] = np.bitwise_or.reduceat(codes << shift, first)
    words[place + 1] |= codes[last] >> np.uint64(1) >> (np.uint64(63) - shift[last])
    return int(word[0]), words, ends


def _read_lane_index(reader: Reader, count: int, lengths: NDArray[np.uint8]) -> tuple[int, Ints]:
    """Symbols in a lane and bits of each lane, checked against the shortest and longest code word."""
    lane_size = 4 * reader.varint("Huffman lane size")
    if not 4 <= lane_size < count + 4:
        raise FormatError(f"Huffman: lanes of {lane_size} symbols in a sequence of {count}.")
    lanes = -(-count // lane_size)
    least = reader.varint("Huffman lane index")
    width_bits = reader.take(1, "Huffman lane index")[0]
    if width_bits > 32 or least >= 1 << 40:
        raise FormatError(f"Huffman: a lane index of {width_bits} bits from {least}.")
    excess = unpack(reader.take(packed_size_bytes(lanes, width_bits), "lane index"), width_bits, lanes)
    lane_bits = least + excess.astype(np.int64)
    symbols = np.full(lanes, lane_size)
    symbols[-1] = count - lane_size * (lanes - 1)
    if (lane_bits < symbols * int(lengths.min())).any() or (lane_bits > symbols * int(lengths.max())).any():
        raise FormatError("Huffman: a lane is longer or shorter than its code words allow.")
    return lane_size, lane_bits


def _walk_lanes(bits: bytes, lane_bits: Ints, tables: WindowTables) -> list[NDArray[np.uint16]]:
    """The windows that each lane sees, step by step: a list of ``(steps, lanes)``."""
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
    return rounds

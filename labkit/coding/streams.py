"""A stream: one sequence of symbols, coded by whichever coder makes it smallest.

Layout: kind (1 byte), size of the payload, payload. What the reader must know already: how many
symbols there are, of which alphabet, and how they fall into groups (tensors).
Leaves out: what the symbols mean (:mod:`labkit.coding.container`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from labkit.coding import bitstream, rans
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
from labkit.coding.density import CONTEXTS, RATES, density_contexts, interleaved_order, track_density
from labkit.coding.frequencies import count_in_context, fit_frequencies, write_table
from labkit.coding.huffman import code_lengths

__all__ = ["Coder", "check_coder", "read_stream", "write_stream"]

Coder = Literal["raw", "huffman", "rans"]

RAW, HUFFMAN, RANS, RANS_BY_GROUP, RANS_BY_DENSITY = 0, 1, 2, 3, 16  # by density: 16 + rate
MAX_GROUPS = 256
BYTES_A_LANE = 1000  # 0.3 % of a stream for its lanes: size before speed
LANE_COST_BYTES = 3

Ints = NDArray[np.int64]


def check_coder(coder: str | None) -> None:
    """Refuse the name of an unknown coder."""
    if coder is not None and coder not in get_args(Coder):
        raise ValueError(f"coder {coder!r} is unknown; give raw, huffman, rans or None for the smallest.")


def write_stream(
    symbols: Symbols,
    alphabet_size: int,
    *,
    groups: Sequence[int] | None = None,
    follow_density: bool = False,
    coder: Coder | None = None,
) -> bytes:
    """Code symbols ``(n,)`` in [0, alphabet_size).

    Args:
        symbols: the sequence.
        alphabet_size: at most 65,536.
        groups: sizes of its parts, in order, each of which may get frequencies of its own.
        follow_density: whether to try contexts by the local density of nonzeros.
        coder: the only coder to use; by default the one that takes fewest bytes.
    """
    candidates: list[tuple[float, int, Callable[[], bytes]]] = []
    if coder in (None, "raw"):
        size = packed_size_bytes(symbols.size, _width_bits(alphabet_size))
        candidates.append((size, RAW, lambda: pack(symbols, _width_bits(alphabet_size))))
    if coder in (None, "huffman"):
        candidates.append(_huffman_candidate(symbols, alphabet_size))
    if coder in (None, "rans"):
        candidates.append(_rans_candidate(symbols, alphabet_size, RANS, None, 1))
        if groups is not None and 1 < len(groups) <= MAX_GROUPS and alphabet_size <= 256:
            contexts = np.repeat(np.arange(len(groups)), groups)
            candidates.append(_rans_candidate(symbols, alphabet_size, RANS_BY_GROUP, contexts, len(groups)))
        if follow_density and symbols.size > 1 and alphabet_size <= 256:
            lanes = _lanes(candidates[-1][0], symbols.size)
            candidates += [_density_candidate(symbols, alphabet_size, lanes, rate) for rate in RATES]
    _, kind, make = min(candidates, key=lambda candidate: candidate[0])
    payload = make()
    return bytes([kind]) + varint(len(payload)) + payload


def read_stream(
    reader: Reader, count: int, alphabet_size: int, *, groups: Sequence[int] | None = None
) -> tuple[Symbols, str]:
    """The ``count`` symbols that :func:`write_stream` wrote, and how they were coded.

    Raises:
        FormatError: if the stream is cut short, damaged or of an unknown kind.
    """
    kind = reader.take(1, "stream kind")[0]
    payload = reader.take(reader.varint("stream size"), "stream")
    dtype = index_dtype(alphabet_size)
    if kind == RAW:
        symbols: Symbols = unpack(payload, _width_bits(alphabet_size), count)
        if count and int(symbols.max()) >= alphabet_size:
            raise FormatError(f"symbol {symbols.max()} in an alphabet of {alphabet_size}.")
        return symbols.astype(dtype), "raw"
    if kind == HUFFMAN:
        return _read_huffman(payload, count, alphabet_size), "Huffman"
    if kind == RANS:
        return rans.decode(payload, count, alphabet_size), "rANS"
    if kind == RANS_BY_GROUP and groups is not None and len(groups) <= MAX_GROUPS:
        return _read_by_group(payload, groups, alphabet_size), "rANS, by tensor"
    if kind - RANS_BY_DENSITY in RATES:
        return _read_by_density(payload, count, alphabet_size, kind - RANS_BY_DENSITY), "rANS, by density"
    raise FormatError(f"a stream of unknown kind {kind}.")


def _width_bits(alphabet_size: int) -> int:
    """Bits of a raw symbol; at least one, so that a raw stream is never short for what it holds."""
    return max(1, (alphabet_size - 1).bit_length())


def _huffman_candidate(symbols: Symbols, alphabet_size: int) -> tuple[float, int, Callable[[], bytes]]:
    """Size in bytes (without lanes), kind and encoder; eight symbols of two are one letter."""
    if alphabet_size == 2:
        symbols, alphabet_size = np.packbits(symbols, bitorder="little"), 256
    counts = bitstream.count_symbols(symbols, alphabet_size)
    limit_bits = max(12, int((counts > 0).sum() - 1).bit_length())
    lengths = code_lengths(counts, limit_bits=limit_bits).astype(np.int64)
    size = int(counts @ lengths) / 8 + 3 + counts.nonzero()[0].max(initial=0) / 8 + (counts > 0).sum() / 2
    lanes = max(1, int(size) // 400)
    encode = bitstream.encode
    return size, HUFFMAN, lambda: encode(symbols, alphabet_size, counts=counts, lanes=lanes)


def _read_huffman(payload: bytes, count: int, alphabet_size: int) -> Symbols:
    """What :func:`_huffman_candidate` encodes."""
    if alphabet_size != 2:
        return bitstream.decode(payload, count, alphabet_size)
    packed = bitstream.decode(payload, packed_size_bytes(count, 1), 256)
    if count % 8 and packed[-1] >> count % 8:
        raise FormatError("a padding bit after the bitmap is set.")
    return np.unpackbits(packed, count=count, bitorder="little")


def _rans_candidate(
    symbols: Symbols, alphabet_size: int, kind: int, contexts: Symbols | None, context_count: int
) -> tuple[float, int, Callable[[], bytes]]:
    """Size in bytes, kind and encoder of rANS with these contexts."""
    size = _rans_size_bytes(symbols, contexts, (context_count, alphabet_size))
    lanes = _lanes(size, symbols.size)
    return (
        size + LANE_COST_BYTES * lanes,
        kind,
        lambda: rans.encode(
            symbols, alphabet_size, contexts=contexts, context_count=context_count, lanes=lanes
        ),
    )


def _density_candidate(
    symbols: Symbols, alphabet_size: int, lanes: int, rate: int
) -> tuple[float, int, Callable[[], bytes]]:
    """Size in bytes, kind and encoder of rANS by density."""
    ordered = symbols[interleaved_order(symbols.size, lanes)]
    contexts = density_contexts(ordered, lanes, rate)
    size = _rans_size_bytes(ordered, contexts, (CONTEXTS, alphabet_size)) + LANE_COST_BYTES * lanes
    return (
        size,
        RANS_BY_DENSITY + rate,
        lambda: rans.encode(ordered, alphabet_size, contexts=contexts, context_count=CONTEXTS, lanes=lanes),
    )


def _rans_size_bytes(symbols: Symbols, contexts: Symbols | None, shape: tuple[int, int]) -> float:
    """Bytes of table and words, up to the lanes."""
    frequencies, precision_bits, bits = fit_frequencies(count_in_context(symbols, contexts, shape))
    return bits / 8 + len(write_table(frequencies, precision_bits))


def _lanes(size_bytes: float, count: int) -> int:
    """How many lanes a stream of this size may spend."""
    return rans.clamp_lanes(int(size_bytes) // BYTES_A_LANE, count)


def _read_by_group(payload: bytes, groups: Sequence[int], alphabet_size: int) -> Symbols:
    """rANS symbols whose context is their group."""
    contexts = np.repeat(np.arange(len(groups), dtype=np.uint8), groups)

    def walk(lanes: int) -> rans.NextContexts:
        starts = iter(range(0, contexts.size, lanes))

        def next_contexts(_: Symbols) -> Ints:
            first = next(starts)
            return contexts[first : first + lanes].astype(np.int64)

        return next_contexts

    return rans.decode(payload, contexts.size, alphabet_size, contexts=walk, context_count=len(groups))


def _read_by_density(payload: bytes, count: int, alphabet_size: int, rate: int) -> Symbols:
    """rANS symbols whose context is the density before them, put back in order."""
    order = np.arange(0)

    def walk(lanes: int) -> rans.NextContexts:
        nonlocal order
        order = interleaved_order(count, lanes)
        return track_density(lanes, rate)

    ordered = rans.decode(payload, count, alphabet_size, contexts=walk, context_count=CONTEXTS)
    if not order.size:
        return ordered  # constant
    symbols = np.empty_like(ordered)
    symbols[order] = ordered
    return symbols

"""rANS over interleaved lanes: codes close to the entropy, also below one bit a symbol (Duda 2013).

A state ``x`` in [2**16, 2**32) absorbs a symbol of frequency ``f`` out of 2**12 that starts at slot
``c`` as ``x → (x // f << 12) + x % f + c``; before it would overflow, its low 16 bits go out. A
decoder runs the steps backwards. Symbol ``i`` belongs to lane ``i % lanes``; all lanes share one
stream of 16-bit words, so that a step of all lanes is a dozen NumPy calls. A lane costs 3 bytes: of
its final state's 32 bits, 16 were there before the first symbol and about 8 are not filled.

A symbol may come with a context that both sides know: every context has its own frequencies.
Layout: precision, frequencies, lanes, states, words.
Leaves out: what a context is (:mod:`labkit.coding.density`); the number of symbols.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.coding.bits import FormatError, Reader, Symbols, index_dtype, varint
from labkit.coding.frequencies import count_in_context, fit_frequencies, read_table, write_table

__all__ = ["NextContexts", "clamp_lanes", "decode", "encode"]

LEAST_STATE = 1 << 16
MAX_LANES = 4096
MAX_STEPS = 1 << 16  # bounds a decoder's time on a file that claims many symbols in few bytes

Ints = NDArray[np.int64]
NextContexts = Callable[[Symbols], Ints]  # the last step's symbols (at first none) → this step's contexts


def clamp_lanes(lanes: int, count: int) -> int:
    """The number of lanes nearest to ``lanes`` that a sequence of ``count`` symbols may have."""
    return min(max(lanes, 1, -(-count // MAX_STEPS)), MAX_LANES, max(count, 1))


def encode(
    symbols: ArrayLike,
    alphabet_size: int,
    *,
    contexts: ArrayLike | None = None,
    context_count: int = 1,
    lanes: int | None = None,
) -> bytes:
    """Code integers ``(n,)`` in [0, alphabet_size).

    Args:
        symbols: the sequence, flattened in C order.
        alphabet_size: at most 65,536.
        contexts: the context of each symbol ``(n,)``, in [0, context_count).
        context_count: how many contexts there are, at most 256.
        lanes: how many interleaved states; by default 0.9 % of a small size is spent on them, 0.4 % of
            one above 400 kB.

    Returns:
        The frequencies, the lanes' final states and the words.

    Raises:
        ValueError: if a symbol is outside the alphabet.
    """
    array: Symbols = np.ascontiguousarray(symbols, index_dtype(alphabet_size)).reshape(-1)
    counts = count_in_context(array, contexts, (context_count, alphabet_size))
    frequencies, precision_bits, cost_bits = fit_frequencies(counts)
    table = write_table(frequencies, precision_bits)
    if (counts.sum(axis=0) > 0).sum() < 2:
        return table
    if lanes is None:
        size_bytes = int(cost_bits) // 8
        lanes = max(min(size_bytes // 330, 512), size_bytes // 800)
    lanes = clamp_lanes(lanes, array.size)
    entry: Symbols = array if contexts is None else np.asarray(contexts, np.int64) * alphabet_size + array
    starts = np.cumsum(frequencies, axis=1) - frequencies
    states, words = _absorb(
        starts.astype(np.uint16).take(entry),
        frequencies.astype(np.int32).take(entry),
        lanes,
        precision_bits,
    )
    return table + varint(lanes) + states.astype("<u4").tobytes() + words.astype("<u2").tobytes()


def decode(
    data: bytes,
    count: int,
    alphabet_size: int,
    *,
    contexts: Callable[[int], NextContexts] | None = None,
    context_count: int = 1,
) -> Symbols:
    """The ``count`` symbols that :func:`encode` coded, uint8 up to 256 letters, else uint16.

    Args:
        data: the bytes.
        count: how many symbols they hold.
        alphabet_size: as given to the encoder.
        contexts: given the number of lanes, a function that names the contexts of step after step.
        context_count: as given to the encoder.

    Raises:
        FormatError: if the bytes are not an encoding of ``count`` symbols.
    """
    reader = Reader(data)
    frequencies, precision_bits = read_table(reader, (context_count, alphabet_size))
    used = np.flatnonzero(frequencies.any(axis=0))
    if used.size < 2 or not count:
        if bool(used.size) != bool(count):
            raise FormatError(f"rANS: {used.size} used symbols in a sequence of {count}.")
        reader.finish("rANS")
        return np.full(count, used[0] if count else 0, index_dtype(alphabet_size))
    lanes = reader.varint("rANS lanes")
    if not 1 <= lanes <= min(count, MAX_LANES) or count > lanes * MAX_STEPS:
        raise FormatError(f"rANS: {lanes} lanes for {count} symbols.")
    states = np.frombuffer(reader.take(4 * lanes, "rANS states"), "<u4").astype(np.int64)
    if reader.left_bytes % 2 or states.min() < LEAST_STATE:
        raise FormatError("rANS: half a word, or a state below 2**16.")
    words = np.frombuffer(reader.take(reader.left_bytes, "rANS words"), "<u2").astype(np.int64)
    slots = _slot_tables(frequencies, precision_bits)
    return _release(states, words, slots, count, contexts(lanes) if contexts else None)


class _Slots(NamedTuple):
    """What each of ``contexts << precision`` slots means."""

    symbol: Symbols
    frequency: Ints
    offset: Ints  # within its symbol
    precision_bits: int


def _slot_tables(frequencies: Ints, precision_bits: int) -> _Slots:
    """The decoder's tables; a context that never occurs leaves its slots at zero."""
    contexts, alphabet_size = frequencies.shape
    size = 1 << precision_bits
    symbol = np.zeros((contexts, size), index_dtype(alphabet_size))
    starts = np.cumsum(frequencies, axis=1) - frequencies
    for row, frequency in zip(symbol, frequencies, strict=True):
        row[: frequency.sum()] = np.repeat(np.arange(alphabet_size), frequency)
    offset = np.arange(size) - np.take_along_axis(starts, symbol.astype(np.intp), axis=1)
    frequency = np.take_along_axis(frequencies, symbol.astype(np.intp), axis=1)
    return _Slots(symbol.reshape(-1), frequency.reshape(-1), offset.reshape(-1), precision_bits)


def _absorb(
    starts: NDArray[np.uint16], frequencies: NDArray[np.int32], lanes: int, precision_bits: int
) -> tuple[Ints, NDArray[np.uint16]]:
    """Final states ``(lanes,)`` and words, in the order in which a decoder reads them."""
    states = np.full(lanes, LEAST_STATE, np.int64)
    words = [np.zeros(0, np.uint16)]
    for first in range((starts.size - 1) // lanes * lanes, -1, -lanes):
        frequency = frequencies[first : first + lanes].astype(np.int64)
        state = states[: frequency.size]
        full = np.flatnonzero(state >= frequency << (32 - precision_bits))
        large = state[full]
        words.append(large.astype(np.uint16))
        state[full] = large >> 16
        quotient = (state / frequency).astype(np.int64)  # exact below 2**53
        state += quotient * ((1 << precision_bits) - frequency) + starts[first : first + lanes]
    return states, np.concatenate(words[::-1])


def _release(
    states: Ints, words: Ints, slots: _Slots, count: int, contexts: NextContexts | None
) -> Symbols:
    """Run :func:`_absorb` backwards; every word must be used and every state end as it began."""
    symbols = np.empty(count, slots.symbol.dtype)
    slot, frequency, offset = np.empty((3, states.size), np.int64)
    small = np.empty(states.size, np.bool_)
    low_bits, precision, sixteen, least = (
        np.array(value)
        for value in ((1 << slots.precision_bits) - 1, slots.precision_bits, 16, LEAST_STATE)
    )  # as arrays they are faster than as integers
    state, row, position = states, symbols[:0], 0
    for first in range(0, count, states.size):
        if count - first < states.size:
            state, slot, frequency, offset = (
                part[: count - first] for part in (state, slot, frequency, offset)
            )
            small = small[: count - first]
        np.bitwise_and(state, low_bits, out=slot)
        if contexts:
            slot += contexts(row)[: slot.size] << slots.precision_bits
        row = symbols[first : first + states.size]
        slots.symbol.take(slot, mode="clip", out=row)
        slots.frequency.take(slot, mode="clip", out=frequency)
        slots.offset.take(slot, mode="clip", out=offset)
        np.right_shift(state, precision, out=state)
        np.multiply(state, frequency, out=state)
        np.add(state, offset, out=state)
        np.less(state, least, out=small)
        refill = small.nonzero()[0]
        if refill.size:
            start, position = position, position + refill.size
            if position > words.size:
                raise FormatError("rANS: the words end before the symbols do.")
            state[refill] = (state[refill] << sixteen) | words[start:position]
    if position < words.size or (states != LEAST_STATE).any():
        raise FormatError("rANS: the states do not end as an encoder begins.")
    return symbols

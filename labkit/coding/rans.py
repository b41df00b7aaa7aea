"""rANS over interleaved lanes: codes close to the entropy, also below one bit per symbol (Duda 2013).

A state ``x`` in [2**16, 2**32) absorbs a symbol of frequency ``f`` out of 2**14 that starts at slot
``c`` as ``x → (x // f << 14) + x % f + c``; before it would overflow, its low 16 bits go out. A
decoder runs the steps backwards. Symbol ``i`` belongs to lane ``i % lanes``; all lanes share one
stream of 16-bit words, so a step of all lanes takes a dozen NumPy calls. A lane costs 3 bytes: of
its final state's 32 bits, 16 were there before the first symbol and about 8 are not filled.

Pruned filters differ much in density. By density, each lane reads a run of the sequence and keeps
a running share of nonzeros, in 16-bit fixed point; the frequencies depend on its square root.
Layout: frequencies, lanes, states, words. The number of symbols is not stored: the caller keeps it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.coding.bits import (
    ByteReader,
    FormatError,
    Ints,
    Symbols,
    count_symbols,
    index_dtype,
    read_used,
    varint,
    write_used,
)
from labkit.coding.huffman import entropy_bits

__all__ = ["StepBudget", "count_steps", "decode", "density_contexts", "encode", "quantize_frequencies"]

LEAST_STATE = 1 << 16
MAX_LANES = 4096
MAX_STEPS = 1 << 16  # of one sequence
FREE_STEPS = (
    1 << 19
)  # of all sequences of a file: eight byte planes of a 64-bit tensor, all nearly constant
BYTES_A_LANE = 800  # about 0.4 % of the size goes to the lanes
DENSITY_CONTEXTS = 16
DENSITY_RATE = 4  # the share of nonzeros forgets with a time constant of 2**rate symbols
FIRST_SHARE = 8191
_BUCKETS = np.array([math.isqrt(level) for level in range(256)])  # share · 256 → context


class StepBudget:
    """The steps that the sequences of one file may take, which bound a decoder's time.

    A step costs the same for one lane as for a thousand, and a crafted sequence of 30 bytes can ask for
    65,536 of them. There are :data:`FREE_STEPS`, and one more for each byte that was read.
    """

    def __init__(self) -> None:
        self.left = FREE_STEPS

    def earn(self, size_bytes: int) -> None:
        """Add the steps that a stream of this size allows."""
        self.left += size_bytes

    def spend(self, steps: int) -> None:
        """Take steps from the budget.

        Raises:
            FormatError: if fewer are left.
        """
        if steps > self.left:
            raise FormatError(
                f"rANS: {steps} steps where {self.left} are left; a file has at most {FREE_STEPS} "
                "and one for each byte of its streams."
            )
        self.left -= steps


def encode(
    symbols: ArrayLike, alphabet_size: int, *, by_density: bool = False, lanes: int | None = None
) -> bytes:
    """Code integers ``(n,)`` in [0, alphabet_size).

    Args:
        symbols: the sequence, flattened in C order.
        alphabet_size: at most 65,536.
        by_density: let the frequencies depend on how dense the nonzeros before a symbol are.
        lanes: how many interleaved states; more are faster and cost 3 bytes each. About 0.4 % of the
            size by default.

    Returns:
        The frequencies, the lanes' final states and the words.

    Raises:
        ValueError: if a symbol is outside the alphabet.
    """
    array: Symbols = np.ascontiguousarray(symbols, index_dtype(alphabet_size)).reshape(-1)
    counts = count_symbols(array, alphabet_size)
    lanes = _lane_count(counts, lanes)
    padding = np.full(-array.size % lanes, counts.argmax(), array.dtype)  # makes every step whole
    padded = np.append(array, padding)
    rows = padded.reshape(lanes, -1).T if by_density else padded.reshape(-1, lanes)  # (steps, lanes)
    entries = density_contexts(rows) * alphabet_size + rows if by_density else rows
    contexts = DENSITY_CONTEXTS if by_density else 1
    counts = count_symbols(entries.reshape(-1), contexts * alphabet_size).reshape(contexts, -1)
    precision_bits = _precision_bits(alphabet_size)
    frequencies = np.stack([quantize_frequencies(row, precision_bits) for row in counts])
    table = b"".join(map(_write_frequencies, frequencies))
    if frequencies.any(axis=0).sum() < 2:
        return table
    starts = np.cumsum(frequencies, axis=1) - frequencies
    states, words = _absorb(entries, starts.reshape(-1), frequencies.reshape(-1), precision_bits)
    return table + varint(lanes) + states.astype("<u4").tobytes() + words.astype("<u2").tobytes()


def count_steps(symbols: Symbols, alphabet_size: int) -> int:
    """Return the number of steps in which :func:`encode` codes symbols ``(n,)``; 0 for a constant."""
    counts = count_symbols(symbols, alphabet_size)
    return -(-symbols.size // _lane_count(counts)) if np.count_nonzero(counts) > 1 else 0


def decode(
    data: bytes,
    count: int,
    alphabet_size: int,
    *,
    by_density: bool = False,
    budget: StepBudget | None = None,
) -> Symbols:
    """Decode the ``count`` symbols that :func:`encode` coded, uint8 up to 256 letters, else uint16.

    Raises:
        FormatError: if the bytes are not an encoding of ``count`` symbols, or the budget is too small.
    """
    reader = ByteReader(data)
    context_count = DENSITY_CONTEXTS if by_density else 1
    frequencies = np.stack([_read_frequencies(reader, alphabet_size) for _ in range(context_count)])
    used = np.flatnonzero(frequencies.any(axis=0))
    if used.size < 2 or not count:
        if bool(used.size) != bool(count):
            raise FormatError(f"rANS: {used.size} used symbols in a sequence of {count}.")
        reader.finish("rANS")
        return np.full(count, used[0] if count else 0, index_dtype(alphabet_size))
    lanes = reader.varint("rANS lanes")
    if not 1 <= lanes <= min(count, MAX_LANES) or count > lanes * MAX_STEPS:
        raise FormatError(f"rANS: {lanes} lanes for {count} symbols.")
    if budget is not None:
        budget.spend(-(-count // lanes))
    states = np.frombuffer(reader.take(4 * lanes, "rANS states"), "<u4").astype(np.int64)
    if reader.left_bytes % 2 or states.min() < LEAST_STATE:
        raise FormatError("rANS: half a word, or a state below 2**16.")
    words = np.frombuffer(reader.take(reader.left_bytes, "rANS words"), "<u2").astype(np.int64)
    slots = _slot_tables(frequencies, alphabet_size)
    rows = np.empty((-(-count // lanes), lanes), index_dtype(alphabet_size))
    share = np.full(lanes, FIRST_SHARE) if by_density else None
    _release(states, words, slots, rows, _precision_bits(alphabet_size), share)
    return (rows.T if by_density else rows).reshape(-1)[:count]


def quantize_frequencies(counts: ArrayLike, precision_bits: int) -> Ints:
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


def _lane_count(counts: Ints, lanes: int | None = None) -> int:
    """How many lanes symbols with these counts get, if as many as ``lanes`` are wanted."""
    size = int(counts.sum())
    if lanes is None:
        lanes = int(entropy_bits(counts) * size) // (8 * BYTES_A_LANE)
    return min(max(lanes, 1, -(-size // MAX_STEPS)), MAX_LANES, max(size, 1))


def _precision_bits(alphabet_size: int) -> int:
    """A table of 2**14 slots stays in a near cache; a large alphabet needs more."""
    return 14 if alphabet_size <= 1 << 12 else 16


def _write_frequencies(frequencies: Ints) -> bytes:
    """The used symbols and their frequencies; the last follows from the sum."""
    used = frequencies > 0
    return write_used(used) + b"".join(map(varint, frequencies[used][:-1].tolist()))


def _read_frequencies(reader: ByteReader, alphabet_size: int) -> Ints:
    """The frequencies ``(alphabet_size,)`` that :func:`_write_frequencies` wrote."""
    frequencies = np.zeros(alphabet_size, np.int64)
    used = read_used(reader, alphabet_size)
    if used.size:
        stored = [reader.varint("frequencies") for _ in used[:-1]]
        last = (1 << _precision_bits(alphabet_size)) - sum(stored)
        if min(stored, default=1) < 1 or last < 1:
            raise FormatError("frequencies: they do not sum to a power of two.")
        frequencies[used] = [*stored, last]
    return frequencies


def density_contexts(rows: Symbols) -> Ints:
    """The context of each symbol of each step ``(steps, lanes)``, from the lane's symbols before it."""
    contexts = np.empty(rows.shape, np.int64)
    share = np.full(rows.shape[1], FIRST_SHARE)
    for context, row in zip(contexts, rows, strict=True):
        context[:] = _BUCKETS.take(share >> 8)
        _follow_density(share, row)
    return contexts


def _follow_density(share: Ints, symbols: Symbols) -> None:
    """Change each lane's share of nonzeros by one more symbol."""
    share += ((symbols != 0) * ((1 << 16) - 1) - share) >> DENSITY_RATE


def _slot_tables(frequencies: Ints, alphabet_size: int) -> tuple[Symbols, Ints, Ints]:
    """Symbol, its frequency and the offset in its share, for each slot of each context in turn."""
    frequency = frequencies.copy()
    frequency[~frequencies.any(axis=1), 0] = 1 << _precision_bits(alphabet_size)  # a context never used
    frequency = frequency.reshape(-1)
    entry = np.repeat(np.arange(frequency.size), frequency)
    offset = np.arange(entry.size) - (np.cumsum(frequency) - frequency)[entry]
    return (entry % alphabet_size).astype(index_dtype(alphabet_size)), frequency[entry], offset


def _absorb(
    entries: Symbols, starts: Ints, frequencies: Ints, precision_bits: int
) -> tuple[Ints, NDArray[np.uint16]]:
    """Final states ``(lanes,)`` and words, in the order in which a decoder reads them."""
    state = np.full(entries.shape[1], LEAST_STATE, np.int64)
    words = []
    for row in entries[::-1]:
        frequency = frequencies.take(row)
        full = np.flatnonzero(state >= frequency << (32 - precision_bits))
        large = state[full]
        words.append(large.astype(np.uint16))
        state[full] = large >> 16
        quotient = (state / frequency).astype(np.int64)  # exact below 2**53
        state += quotient * ((1 << precision_bits) - frequency) + starts.take(row)
    return state, np.concatenate(words[::-1])


def _release(
    state: Ints,
    words: Ints,
    slots: tuple[Symbols, Ints, Ints],
    rows: Symbols,
    precision_bits: int,
    share: Ints | None,
) -> None:
    """Run :func:`_absorb` backwards into ``rows`` ``(steps, lanes)``; every word must be used."""
    symbols, frequencies, offsets = slots
    slot, frequency, offset = np.empty((3, state.size), np.int64)
    constants = ((1 << precision_bits) - 1, precision_bits, 16, LEAST_STATE)
    low_bits, precision, sixteen, least = map(np.array, constants)  # faster than as integers
    position = 0
    for row in rows:
        np.bitwise_and(state, low_bits, out=slot)
        if share is not None:
            slot += _BUCKETS.take(share >> 8) << precision
        symbols.take(slot, mode="clip", out=row)
        if share is not None:
            _follow_density(share, row)
        frequencies.take(slot, mode="clip", out=frequency)
        offsets.take(slot, mode="clip", out=offset)
        np.right_shift(state, precision, out=state)
        np.multiply(state, frequency, out=state)
        np.add(state, offset, out=state)
        refill = (state < least).nonzero()[0]
        if refill.size:
            start, position = position, position + refill.size
            if position > words.size:
                raise FormatError("rANS: the words end before the symbols do.")
            state[refill] = (state[refill] << sixteen) | words[start:position]
    if position < words.size or (state != LEAST_STATE).any():
        raise FormatError("rANS: the states do not end as an encoder begins.")

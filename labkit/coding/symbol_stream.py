"""A stream: one sequence of symbols, coded by whichever coder makes it smallest.

Layout: kind (1 byte), size of the payload, payload. A reader must already know how many symbols
there are, and of which alphabet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from labkit.coding import huffman_stream, rans
from labkit.coding.bits import ByteReader, FormatError, Symbols, index_dtype, pack, varint
from labkit.coding.rans import StepBudget

__all__ = ["CODERS", "Coder", "StepBudget", "read_stream", "write_stream"]

FREE_SYMBOLS = 1 << 18
MAX_SYMBOLS_PER_BYTE = 256


class Coder(NamedTuple):
    """A way to code symbols of a known alphabet."""

    name: str
    encode: Callable[[Symbols, int], bytes]
    decode: Callable[[bytes, int, int, StepBudget], Symbols]
    takes_steps: bool = (
        False  # from the file's StepBudget; the work of the others is bounded by their bytes
    )


def _width_bits(alphabet_size: int) -> int:
    """Bits of a raw symbol: at least one, because a reader bounds the symbols by the payload's size."""
    return max(1, (alphabet_size - 1).bit_length())


def _unpack(data: bytes, count: int, alphabet_size: int, _: StepBudget) -> Symbols:
    """Raw symbols."""
    reader = ByteReader(data)
    symbols = reader.unpack(count, _width_bits(alphabet_size), "raw symbols")
    reader.finish("raw symbols")
    if count and int(symbols.max()) >= alphabet_size:
        raise FormatError(f"symbol {symbols.max()} in an alphabet of {alphabet_size}.")
    return symbols.astype(index_dtype(alphabet_size))


CODERS = {  # by kind
    0: Coder("raw", lambda symbols, size: pack(symbols, _width_bits(size)), _unpack),
    1: Coder(
        "Huffman",
        huffman_stream.encode,
        lambda data, count, size, _: huffman_stream.decode(data, count, size),
    ),
    2: Coder(
        "rANS",
        rans.encode,
        lambda data, count, size, budget: rans.decode(data, count, size, budget=budget),
        takes_steps=True,
    ),
    3: Coder(
        "rANS by density",
        lambda symbols, size: rans.encode(symbols, size, by_density=True),
        lambda data, count, size, budget: rans.decode(data, count, size, by_density=True, budget=budget),
        takes_steps=True,
    ),
}


def write_stream(symbols: Symbols, alphabet_size: int, budget: StepBudget | None = None) -> bytes:
    """Code symbols ``(n,)`` in [0, alphabet_size), alphabet_size ≤ 65,536, in the fewest bytes.

    Args:
        symbols: the sequence.
        alphabet_size: how many symbols there may be.
        budget: of the file, from which the stream takes its share; by default one of its own.
    """
    budget = budget or StepBudget()
    steps = rans.count_steps(symbols, alphabet_size)
    payloads = [
        (kind, coder.encode(symbols, alphabet_size))
        for kind, coder in CODERS.items()
        if steps <= budget.left or not coder.takes_steps
    ]
    allowed = [(kind, payload) for kind, payload in payloads if symbols.size <= _most_symbols(payload)]
    kind, payload = min(allowed, key=lambda choice: len(choice[1]))
    budget.spend(steps if CODERS[kind].takes_steps else 0)
    budget.earn(len(payload))
    return bytes([kind]) + varint(len(payload)) + payload


def read_stream(
    reader: ByteReader, count: int, alphabet_size: int, budget: StepBudget | None = None
) -> tuple[Symbols, str]:
    """Read the ``count`` symbols that :func:`write_stream` wrote, and the name of their coder.

    Raises:
        FormatError: if the stream is cut short, damaged, of an unknown kind, too short for its count, or
            takes more steps than the file's budget has left.
    """
    budget = budget or StepBudget()
    kind = reader.take(1, "stream kind")[0]
    payload = reader.take(reader.varint("stream size"), "stream")
    if kind not in CODERS:
        raise FormatError(f"a stream of unknown kind {kind}.")
    if count > _most_symbols(payload):
        raise FormatError(f"{count} symbols in a stream of {len(payload)} bytes.")
    budget.earn(len(payload))
    return CODERS[kind].decode(payload, count, alphabet_size, budget), CODERS[kind].name


def _most_symbols(payload: bytes) -> int:
    """How many symbols a payload may hold, to bound a reader's memory; raw ones are always below it."""
    return FREE_SYMBOLS + MAX_SYMBOLS_PER_BYTE * len(payload)

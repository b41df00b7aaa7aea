"""Coding arrays as bytes, NumPy only: bit packing, Huffman, rANS and the container of a small network.

Read the modules in this order: ``bits``; ``huffman``, the codes, and ``huffman_stream``, sequences
coded with them; ``rans``; ``symbol_stream``, which picks the smallest of these; ``header`` and
``container``.
"""

from labkit.coding.bits import FormatError
from labkit.coding.container import (
    Clustered,
    HalfPrecision,
    LedgerRow,
    StoredTensor,
    decode,
    encode,
    ledger,
)

__all__ = [
    "Clustered",
    "FormatError",
    "HalfPrecision",
    "LedgerRow",
    "StoredTensor",
    "decode",
    "encode",
    "ledger",
]

"""Coding arrays as bytes, NumPy only: bit packing, Huffman, rANS and the container of a small network.

Read the modules in this order: ``bits``; ``huffman``, the codes, and ``huffman_stream``, sequences
coded with them; ``rans``; ``symbol_stream``, which picks the smallest of these; ``header`` and
``container``.
"""

from labkit.coding.bits import FormatError
from labkit.coding.container import (
    MAGIC,
    Clustered,
    Container,
    LedgerRow,
    NamedTensor,
    StoredTensor,
    decode,
    encode,
    ledger,
    read_container,
)

__all__ = [
    "MAGIC",
    "Clustered",
    "Container",
    "FormatError",
    "LedgerRow",
    "NamedTensor",
    "StoredTensor",
    "decode",
    "encode",
    "ledger",
    "read_container",
]

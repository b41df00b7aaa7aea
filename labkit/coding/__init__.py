"""Coding arrays as bytes, NumPy only: bit packing, Huffman, rANS and the container of a small network.

Layer 1, beside ``labkit.data``; of labkit it imports only itself. Read upwards: ``bits``;
``huffman``, the codes, and ``bitstream``, sequences coded with them; ``rans``; ``streams``, which
picks the smallest of these; ``header`` and ``container``.
"""

from labkit.coding.bits import FormatError
from labkit.coding.container import Clustered, LedgerRow, Record, decode, encode, ledger

__all__ = ["Clustered", "FormatError", "LedgerRow", "Record", "decode", "encode", "ledger"]

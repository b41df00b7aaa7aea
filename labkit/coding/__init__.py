"""Coding arrays as bytes, NumPy only: bit packing, Huffman, rANS and the container of a small network.

Layer 1, beside ``labkit.data``; of labkit it imports only itself. Read upwards: ``bits``;
``huffman``, ``windows`` and ``bitstream``; ``frequencies``, ``rans`` and ``density``; ``streams``,
which picks the smallest of these; ``header``, ``records``, ``sections`` and ``container``.
"""

from labkit.coding.bits import FormatError
from labkit.coding.container import decode, encode, ledger
from labkit.coding.records import Clustered, Record
from labkit.coding.sections import LedgerRow

__all__ = ["Clustered", "FormatError", "LedgerRow", "Record", "decode", "encode", "ledger"]

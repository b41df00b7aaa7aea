"""The file that holds a small network: tensors by name ↔ bytes, with a ledger that sums to its size.

docs/format.md says what stands where. A tensor is stored exactly as an array, or clustered: indices
into its own codebook, 0 for a pruned weight. Little-endian, no pickle, the same bytes for the same
tensors; anything damaged is a :class:`~labkit.coding.bits.FormatError`.
Leaves out: paths; how weights become clusters; folding batch norm, which the caller does.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.coding.bits import FormatError, Reader, Symbols, index_dtype, varint
from labkit.coding.header import DTYPES, TensorSpec, read_header, write_header
from labkit.coding.symbol_stream import read_stream, write_stream

__all__ = ["Clustered", "LedgerRow", "Record", "decode", "encode", "ledger"]

MAGIC = b"\x89LKC\x01"  # the last byte is the version
CHECKSUM_BYTES = 4


@dataclass(frozen=True, eq=False)
class Clustered:
    """A tensor whose nonzero weights share the values of a codebook.

    ``indices`` are integers of the tensor's shape, 0 for a pruned weight and ``i`` for
    ``codebook[i - 1]``; the codebook ``(k,)`` is float32 or float16, at most 65,535 values.
    """

    indices: NDArray[Any]
    codebook: NDArray[Any]

    def dense(self) -> NDArray[Any]:
        """The weights, in the codebook's type.

        >>> Clustered(np.array([[0, 2], [1, 0]]), np.array([-0.5, 0.25], np.float32)).dense().tolist()
        [[0.0, 0.25], [-0.5, 0.0]]
        """
        return np.concatenate([np.zeros(1, self.codebook.dtype), self.codebook])[self.indices]


Record = NDArray[Any] | Clustered


@dataclass(frozen=True)
class LedgerRow:
    """A part of the file, how it is coded, and what it takes."""

    part: str
    coder: str
    size_bytes: int


def encode(records: Mapping[str, Record]) -> bytes:
    """Write tensors as one file's bytes.

    Args:
        records: tensors by name, in an order that is kept. Arrays are float, integer or bool.

    Returns:
        The file. Indices come back in the smallest unsigned type, everything else as it was.

    Raises:
        ValueError: if a tensor cannot be stored; says which and why.
        TypeError: if a tensor's type is not one of those named.
    """
    specs = [_spec_of(name, record) for name, record in records.items()]
    header = write_header(specs)
    clustered = [record for record in records.values() if isinstance(record, Clustered)]
    arrays = [np.asarray(record) for record in records.values() if not isinstance(record, Clustered)]
    largest = max((len(record.codebook) for record in clustered), default=0)
    flat = [np.asarray(record.indices, index_dtype(largest + 1)).reshape(-1) for record in clustered]
    indices = np.concatenate([np.zeros(0, index_dtype(largest + 1)), *flat])
    parts = [
        MAGIC,
        varint(len(header)),
        header,
        write_stream((indices > 0).astype(np.uint8), 2),
        write_stream(indices[indices > 0] - 1, max(largest, 1)),
        _write_planes([np.asarray(record.codebook) for record in clustered]),
        _write_planes(arrays),
    ]
    content = b"".join(parts)
    return content + zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "little")


def decode(data: bytes) -> dict[str, Record]:
    """The tensors that :func:`encode` wrote, by name, in their order.

    Raises:
        FormatError: if the bytes are damaged, cut short, foreign or of another version.
    """
    return _parse(data)[0]


def ledger(data: bytes) -> list[LedgerRow]:
    """What each part of a file takes; the sizes sum to ``len(data)``.

    Raises:
        FormatError: as :func:`decode`.
    """
    return _parse(data)[1]


def _spec_of(name: str, record: Record) -> TensorSpec:
    """What the header says of a tensor, or an error that says why it cannot be stored."""
    array = np.asarray(record.codebook if isinstance(record, Clustered) else record)
    dtype = array.dtype.newbyteorder("<").str
    if not isinstance(record, Clustered):
        if dtype not in DTYPES:
            raise TypeError(f"tensor {name!r} is {array.dtype}; a container holds {', '.join(DTYPES)}.")
        return TensorSpec(name, dtype, array.shape)
    indices = np.asarray(record.indices)
    if array.ndim != 1:
        raise ValueError(f"tensor {name!r}: a codebook must have shape (k,), got {array.shape}.")
    if indices.dtype.kind not in "iu":
        raise TypeError(f"tensor {name!r}: indices must be integers, got {indices.dtype}.")
    if indices.size and not 0 <= indices.min() <= indices.max() <= array.size:
        raise ValueError(
            f"tensor {name!r}: indices must be 0 to {array.size}, got {indices.min()} to {indices.max()}."
        )
    return TensorSpec(name, dtype, indices.shape, array.size)


def _parse(data: bytes) -> tuple[dict[str, Record], list[LedgerRow]]:
    """The tensors and the ledger."""
    if data[: len(MAGIC) - 1] != MAGIC[:-1]:
        raise FormatError(f"not a labkit container: it begins with {data[:5].hex() or 'nothing'}.")
    if data[len(MAGIC) - 1 : len(MAGIC)] != MAGIC[-1:]:
        raise FormatError(f"container version {data[4:5].hex() or 'missing'}; this reader knows 1.")
    content, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if zlib.crc32(content) != int.from_bytes(checksum, "little"):
        raise FormatError("the checksum does not match: the file is damaged or cut short.")
    reader = Reader(content)
    reader.take(len(MAGIC), "magic")
    marks = [("magic and version", "raw", reader.position)]
    specs = read_header(reader.take(reader.varint("header size"), "header"))
    marks.append(("header", "zlib", reader.position))
    clustered = [spec for spec in specs if spec.codebook_size is not None]
    dense = [spec for spec in specs if spec.codebook_size is None]
    indices = _read_indices(reader, clustered, marks)
    codebooks = _read_planes(reader, [(spec.dtype, spec.codebook_size or 0) for spec in clustered])
    marks.append(("codebooks", "byte planes", reader.position))
    arrays = _read_planes(reader, [(spec.dtype, spec.size) for spec in dense])
    marks.append(("dense tensors", "byte planes", reader.position))
    reader.finish("container")
    marks.append(("checksum", "raw", len(data)))
    found: dict[str, Record] = {
        spec.name: array.reshape(spec.shape) for spec, array in zip(dense, arrays, strict=True)
    }
    for spec, flat, codebook in zip(clustered, indices, codebooks, strict=True):
        found[spec.name] = Clustered(flat.reshape(spec.shape), codebook)
    starts = [0, *(end for _, _, end in marks[:-1])]
    rows = [
        LedgerRow(part, coder, end - start) for (part, coder, end), start in zip(marks, starts, strict=True)
    ]
    return {spec.name: found[spec.name] for spec in specs}, rows


def _read_indices(
    reader: Reader, specs: Sequence[TensorSpec], marks: list[tuple[str, str, int]]
) -> list[Symbols]:
    """The flat indices of each clustered tensor, in the smallest type; notes where mask and values end."""
    largest = max((spec.codebook_size or 0 for spec in specs), default=0)
    mask, coder = read_stream(reader, sum(spec.size for spec in specs), 2)
    marks.append(("mask", coder, reader.position))
    values, coder = read_stream(reader, int(np.count_nonzero(mask)), max(largest, 1))
    marks.append(("values", coder, reader.position))
    indices = mask.astype(index_dtype(largest + 1))
    indices[mask > 0] = values.astype(indices.dtype) + 1
    parts, start = [], 0
    for spec in specs:
        part = indices[start : start + spec.size]
        start += spec.size
        if part.max(initial=0) > (spec.codebook_size or 0):
            raise FormatError(
                f"tensor {spec.name!r} has index {part.max()} of {spec.codebook_size} centroids."
            )
        parts.append(part.astype(index_dtype((spec.codebook_size or 0) + 1)))
    return parts


def _write_planes(arrays: Sequence[NDArray[Any]]) -> bytes:
    """Arrays of equal type together, the first bytes of all items, then the second, …"""
    parts = []
    for dtype in DTYPES:
        chosen = [
            array.astype(dtype).tobytes() for array in arrays if array.dtype.newbyteorder("<") == dtype
        ]
        planes = np.frombuffer(b"".join(chosen), np.uint8).reshape(-1, np.dtype(dtype).itemsize).T
        parts += [write_stream(plane, 256) for plane in planes if plane.size]
    return b"".join(parts)


def _read_planes(reader: Reader, kinds: Sequence[tuple[str, int]]) -> list[NDArray[Any]]:
    """Flat arrays of the given types and sizes."""
    arrays: dict[int, NDArray[Any]] = {}
    for dtype in DTYPES:
        places = [place for place, kind in enumerate(kinds) if kind[0] == dtype]
        count = sum(kinds[place][1] for place in places)
        itemsize = np.dtype(dtype).itemsize
        planes = [read_stream(reader, count, 256)[0] for _ in range(itemsize if count else 0)]
        content = np.stack(planes, axis=1) if planes else np.zeros((0, itemsize), np.uint8)
        if dtype == "|b1" and content.max(initial=0) > 1:
            raise FormatError("a Boolean tensor holds a byte other than 0 and 1.")
        start = 0
        for place in places:
            stop = start + kinds[place][1]
            arrays[place] = content[start:stop].copy().view(dtype).reshape(-1)
            start = stop
    return [arrays[place] for place in range(len(kinds))]

"""The file that holds a small network: tensors by name ↔ bytes, with a ledger that sums to its size.

docs/format.md describes the bytes. A tensor is stored exactly as an array, or clustered: indices into
its own codebook, 0 for a pruned weight. Little-endian, no pickle, the same bytes for the same
tensors; damage raises a :class:`~labkit.coding.bits.FormatError`.
Leaves out: how PyTorch tensors become these records (:mod:`labkit.storage.state_dict`).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from labkit.coding.bits import ByteReader, FormatError, Symbols, index_dtype, varint
from labkit.coding.header import (
    DTYPES,
    HALF_DTYPES,
    HalfDtype,
    TensorSpec,
    read_header,
    write_header,
)
from labkit.coding.symbol_stream import read_stream, write_stream

__all__ = [
    "Clustered",
    "HalfPrecision",
    "LedgerRow",
    "StoredTensor",
    "decode",
    "encode",
    "ledger",
]

MAGIC = b"\x89LKC"  # one byte follows, the version
PLAIN_VERSION, HALF_VERSION = 1, 2  # version 2 adds the types of HALF_DTYPES
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
        """Return the weights, in the codebook's type.

        >>> Clustered(np.array([[0, 2], [1, 0]]), np.array([-0.5, 0.25], np.float32)).dense().tolist()
        [[0.0, 0.25], [-0.5, 0.0]]
        """
        return np.concatenate([np.zeros(1, self.codebook.dtype), self.codebook])[self.indices]


@dataclass(frozen=True, eq=False)
class HalfPrecision:
    """A tensor whose own type has 16 bits; a plain float16 array may also be a rounded float32 tensor.

    ``stored`` is an array or clustered, of type float16, or uint16 with the bits of each bfloat16
    number, because NumPy has no such type. The container keeps the two cases apart, so
    a tensor that was rounded can be given back as float32.
    """

    dtype: HalfDtype
    stored: NDArray[Any] | Clustered


StoredTensor = NDArray[Any] | Clustered | HalfPrecision


@dataclass(frozen=True)
class LedgerRow:
    """A part of the file, how it is coded, and how many bytes it takes."""

    part: str
    coder: str
    size_bytes: int


def encode(tensors: Mapping[str, StoredTensor]) -> bytes:
    """Write tensors as the bytes of one file.

    Args:
        tensors: by name, in an order that is kept. Arrays are float, integer or bool.

    Returns:
        The file. Indices come back in the smallest unsigned type, everything else as it was.

    Raises:
        ValueError: if a tensor cannot be stored; the message names it and says why.
        TypeError: if a tensor's type is not one of those named.
    """
    specs = [_spec_of(name, tensor) for name, tensor in tensors.items()]
    header = write_header(specs)
    contents = [_content(tensor) for tensor in tensors.values()]
    clustered = [content for content in contents if isinstance(content, Clustered)]
    arrays = [np.asarray(content) for content in contents if not isinstance(content, Clustered)]
    largest = max((len(content.codebook) for content in clustered), default=0)
    flat = [np.asarray(content.indices, index_dtype(largest + 1)).reshape(-1) for content in clustered]
    indices = np.concatenate([np.zeros(0, index_dtype(largest + 1)), *flat])
    has_half = any(spec.dtype in HALF_DTYPES for spec in specs)
    parts = [
        MAGIC,
        bytes([HALF_VERSION if has_half else PLAIN_VERSION]),
        varint(len(header)),
        header,
        write_stream((indices > 0).astype(np.uint8), 2),
        write_stream(indices[indices > 0] - 1, max(largest, 1)),
        _write_planes([np.asarray(content.codebook) for content in clustered]),
        _write_planes(arrays),
    ]
    body = b"".join(parts)
    return body + zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "little")


def decode(data: bytes) -> dict[str, StoredTensor]:
    """Read the tensors that :func:`encode` wrote, by name, in their order.

    Raises:
        FormatError: if the bytes are damaged, cut short, foreign or of another version.
    """
    return _parse(data)[0]


def ledger(data: bytes) -> list[LedgerRow]:
    """List how many bytes each part of a file takes; the sizes sum to ``len(data)``.

    Raises:
        FormatError: as :func:`decode`.
    """
    return _parse(data)[1]


def _content(tensor: StoredTensor) -> NDArray[Any] | Clustered:
    """The array or clustered tensor whose bytes are written."""
    return tensor.stored if isinstance(tensor, HalfPrecision) else tensor


def _spec_of(name: str, tensor: StoredTensor) -> TensorSpec:
    """The header's entry for a tensor, or an error that says why it cannot be stored."""
    content = _content(tensor)
    array = np.asarray(content.codebook if isinstance(content, Clustered) else content)
    dtype = array.dtype.newbyteorder("<").str
    if isinstance(tensor, HalfPrecision):
        if dtype != HALF_DTYPES.get(tensor.dtype):
            raise TypeError(f"tensor {name!r} is {tensor.dtype} and cannot be stored as {array.dtype}.")
        dtype = tensor.dtype
    elif dtype not in DTYPES:
        raise TypeError(f"tensor {name!r} is {array.dtype}; a container holds {', '.join(DTYPES)}.")
    if not isinstance(content, Clustered):
        return TensorSpec(name, dtype, array.shape)
    indices = np.asarray(content.indices)
    if array.ndim != 1:
        raise ValueError(f"tensor {name!r}: a codebook must have shape (k,), got {array.shape}.")
    if indices.dtype.kind not in "iu":
        raise TypeError(f"tensor {name!r}: indices must be integers, got {indices.dtype}.")
    if indices.size and not 0 <= indices.min() <= indices.max() <= array.size:
        raise ValueError(
            f"tensor {name!r}: indices must be 0 to {array.size}, got {indices.min()} to {indices.max()}."
        )
    return TensorSpec(name, dtype, indices.shape, array.size)


def _parse(data: bytes) -> tuple[dict[str, StoredTensor], list[LedgerRow]]:
    """Read the tensors and the ledger."""
    version = _version(data)
    body, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if zlib.crc32(body) != int.from_bytes(checksum, "little"):
        raise FormatError("the checksum does not match: the file is damaged or cut short.")
    reader = ByteReader(body)
    reader.take(len(MAGIC) + 1, "magic and version")
    part_ends = [("magic and version", "raw", reader.position)]
    specs = read_header(reader.take(reader.varint("header size"), "header"))
    if version == PLAIN_VERSION and any(spec.dtype in HALF_DTYPES for spec in specs):
        raise FormatError(f"header: {', '.join(HALF_DTYPES)} need version {HALF_VERSION}, not {version}.")
    part_ends.append(("header", "zlib", reader.position))
    clustered = [spec for spec in specs if spec.codebook_size is not None]
    dense = [spec for spec in specs if spec.codebook_size is None]
    indices = _read_indices(reader, clustered, part_ends)
    codebooks = _read_planes(reader, [(spec.stored_dtype, spec.codebook_size or 0) for spec in clustered])
    part_ends.append(("codebooks", "byte planes", reader.position))
    arrays = _read_planes(reader, [(spec.stored_dtype, spec.size) for spec in dense])
    part_ends.append(("dense tensors", "byte planes", reader.position))
    reader.finish("container")
    part_ends.append(("checksum", "raw", len(data)))
    contents: dict[str, NDArray[Any] | Clustered] = {
        spec.name: array.reshape(spec.shape) for spec, array in zip(dense, arrays, strict=True)
    }
    for spec, flat, codebook in zip(clustered, indices, codebooks, strict=True):
        contents[spec.name] = Clustered(flat.reshape(spec.shape), codebook)
    starts = [0, *(end for _, _, end in part_ends[:-1])]
    rows = [
        LedgerRow(part, coder, end - start)
        for (part, coder, end), start in zip(part_ends, starts, strict=True)
    ]
    return {spec.name: _tensor(spec, contents[spec.name]) for spec in specs}, rows


def _version(data: bytes) -> int:
    """The version of a container, one of those that this module reads."""
    if data[: len(MAGIC)] != MAGIC:
        raise FormatError(f"not a labkit container: it begins with {data[:5].hex() or 'nothing'}.")
    version = data[len(MAGIC) : len(MAGIC) + 1]
    if version not in (bytes([PLAIN_VERSION]), bytes([HALF_VERSION])):
        raise FormatError(
            f"container version {version.hex() or 'missing'}; "
            f"this reader knows {PLAIN_VERSION} and {HALF_VERSION}."
        )
    return version[0]


def _tensor(spec: TensorSpec, content: NDArray[Any] | Clustered) -> StoredTensor:
    """What the header's entry and the bytes make together."""
    if spec.dtype in HALF_DTYPES:
        return HalfPrecision(cast(HalfDtype, spec.dtype), content)
    return content


def _read_indices(
    reader: ByteReader, specs: Sequence[TensorSpec], part_ends: list[tuple[str, str, int]]
) -> list[Symbols]:
    """The flat indices of each clustered tensor, in the smallest type; notes where mask and values end."""
    largest = max((spec.codebook_size or 0 for spec in specs), default=0)
    mask, coder = read_stream(reader, sum(spec.size for spec in specs), 2)
    part_ends.append(("mask", coder, reader.position))
    values, coder = read_stream(reader, int(np.count_nonzero(mask)), max(largest, 1))
    part_ends.append(("values", coder, reader.position))
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


def _read_planes(reader: ByteReader, kinds: Sequence[tuple[str, int]]) -> list[NDArray[Any]]:
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

"""The file that holds a small network: tensors by name ↔ bytes, with a ledger that sums to its size.

docs/format.md describes the bytes. A tensor is stored exactly as an array, or clustered: indices into
its own codebook, 0 for a pruned weight. Little-endian, no pickle, the same bytes for the same
tensors; damage raises a :class:`~labkit.coding.bits.FormatError`.
Leaves out: how PyTorch tensors become these records (:mod:`labkit.storage.state_dict`).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from labkit.coding.bits import ByteReader, FormatError, Symbols, index_dtype, varint
from labkit.coding.header import (
    DTYPES,
    NAMED_DTYPES,
    Header,
    NamedDtype,
    TensorSpec,
    read_header,
    write_header,
)
from labkit.coding.symbol_stream import StepBudget, read_stream, write_stream

__all__ = [
    "MAGIC",
    "Clustered",
    "Container",
    "LedgerRow",
    "NamedTensor",
    "StoredTensor",
    "decode",
    "encode",
    "ledger",
    "read_container",
]

MAGIC = b"\x89LKC"  # one byte follows, the version
VERSIONS = (1, 2, 3)  # a writer uses the first that holds the header
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
class NamedTensor:
    """A tensor of a type that NumPy does not have, or that is told apart by its name.

    ``stored`` is an array of the type that :data:`~labkit.coding.header.NAMED_DTYPES` gives, with the
    bits of each entry: uint16 for bfloat16, uint8 for the types of at most 8 bits, and a last axis with
    the real and the imaginary part for complex types. For float16 and bfloat16 it may be clustered.
    A float16 tensor has a name because a plain float16 array may be a rounded float32 tensor, which is
    given back as float32.
    """

    dtype: NamedDtype
    stored: NDArray[Any] | Clustered


StoredTensor = NDArray[Any] | Clustered | NamedTensor


@dataclass(frozen=True)
class LedgerRow:
    """A part of the file, how it is coded, and how many bytes it takes."""

    part: str
    coder: str
    size_bytes: int


@dataclass(frozen=True)
class Container:
    """What a file holds: tensors by name, in their order, its metadata, and what each part takes."""

    tensors: dict[str, StoredTensor]
    metadata: Mapping[str, str] | None
    ledger: tuple[LedgerRow, ...]


def encode(tensors: Mapping[str, StoredTensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Write tensors as the bytes of one file.

    Args:
        tensors: by name, in an order that is kept. Arrays are float, integer or bool.
        metadata: text by name, as safetensors files have it.

    Returns:
        The file. Indices come back in the smallest unsigned type, everything else as it was.

    Raises:
        ValueError: if a tensor cannot be stored; the message names it and says why.
        TypeError: if a tensor's type is not one of those named.
    """
    header = Header(tuple(_spec_of(name, tensor) for name, tensor in tensors.items()), metadata)
    header_bytes = write_header(header)
    contents = [_content(tensor) for tensor in tensors.values()]
    clustered = [content for content in contents if isinstance(content, Clustered)]
    arrays = [np.asarray(content) for content in contents if not isinstance(content, Clustered)]
    largest = max((len(content.codebook) for content in clustered), default=0)
    flat = [np.asarray(content.indices, index_dtype(largest + 1)).reshape(-1) for content in clustered]
    indices = np.concatenate([np.zeros(0, index_dtype(largest + 1)), *flat])
    budget = StepBudget()
    parts = [
        MAGIC,
        bytes([header.version]),
        varint(len(header_bytes)),
        header_bytes,
        write_stream((indices > 0).astype(np.uint8), 2, budget),
        write_stream(indices[indices > 0] - 1, max(largest, 1), budget),
        _write_planes([np.asarray(content.codebook) for content in clustered], budget),
        _write_planes(arrays, budget),
    ]
    body = b"".join(parts)
    return body + zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "little")


def decode(data: bytes) -> dict[str, StoredTensor]:
    """Read the tensors that :func:`encode` wrote, by name, in their order.

    Raises:
        FormatError: if the bytes are damaged, cut short, foreign or of another version.
    """
    return read_container(data).tensors


def ledger(data: bytes) -> tuple[LedgerRow, ...]:
    """List how many bytes each part of a file takes; the sizes sum to ``len(data)``.

    Raises:
        FormatError: as :func:`decode`.
    """
    return read_container(data).ledger


def _content(tensor: StoredTensor) -> NDArray[Any] | Clustered:
    """The array or clustered tensor whose bytes are written."""
    return tensor.stored if isinstance(tensor, NamedTensor) else tensor


def _spec_of(name: str, tensor: StoredTensor) -> TensorSpec:
    """The header's entry for a tensor, or an error that says why it cannot be stored."""
    content = _content(tensor)
    array = np.asarray(content.codebook if isinstance(content, Clustered) else content)
    dtype = array.dtype.newbyteorder("<").str
    shape = array.shape
    if isinstance(tensor, NamedTensor):
        form = NAMED_DTYPES.get(tensor.dtype)
        if form is None or dtype != form.dtype or (form.items > 1 and shape[-1:] != (form.items,)):
            raise TypeError(
                f"tensor {name!r} is {tensor.dtype} and cannot be stored as {array.dtype} of shape {shape}."
            )
        dtype, shape = tensor.dtype, shape[:-1] if form.items > 1 else shape
    elif dtype not in DTYPES:
        raise TypeError(f"tensor {name!r} is {array.dtype}; a container holds {', '.join(DTYPES)}.")
    if not isinstance(content, Clustered):
        return TensorSpec(name, dtype, shape)
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


def read_container(data: bytes) -> Container:
    """Read everything that a file holds, once.

    Raises:
        FormatError: as :func:`decode`.
    """
    version = _version(data)
    body, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if zlib.crc32(body) != int.from_bytes(checksum, "little"):
        raise FormatError("the checksum does not match: the file is damaged or cut short.")
    reader, budget = ByteReader(body), StepBudget()
    reader.take(len(MAGIC) + 1, "magic and version")
    part_ends = [("magic and version", "raw", reader.position)]
    header = read_header(reader.take(reader.varint("header size"), "header"), version)
    part_ends.append(("header", "zlib", reader.position))
    clustered = [spec for spec in header.specs if spec.codebook_size is not None]
    dense = [spec for spec in header.specs if spec.codebook_size is None]
    indices = _read_indices(reader, clustered, part_ends, budget)
    sizes = [(spec.stored_dtype, spec.codebook_size or 0) for spec in clustered]
    codebooks = _read_planes(reader, sizes, budget)
    part_ends.append(("codebooks", "byte planes", reader.position))
    sizes = [(spec.stored_dtype, math.prod(spec.stored_shape)) for spec in dense]
    arrays = _read_planes(reader, sizes, budget)
    part_ends.append(("dense tensors", "byte planes", reader.position))
    reader.finish("container")
    part_ends.append(("checksum", "raw", len(data)))
    contents: dict[str, NDArray[Any] | Clustered] = {
        spec.name: array.reshape(spec.stored_shape) for spec, array in zip(dense, arrays, strict=True)
    }
    for spec, flat, codebook in zip(clustered, indices, codebooks, strict=True):
        contents[spec.name] = Clustered(flat.reshape(spec.shape), codebook)
    starts = [0, *(end for _, _, end in part_ends[:-1])]
    rows = tuple(
        LedgerRow(part, coder, end - start)
        for (part, coder, end), start in zip(part_ends, starts, strict=True)
    )
    tensors = {spec.name: _tensor(spec, contents[spec.name]) for spec in header.specs}
    return Container(tensors, header.metadata, rows)


def _version(data: bytes) -> int:
    """The version of a container, one of those that this module reads."""
    if data[: len(MAGIC)] != MAGIC:
        raise FormatError(f"not a labkit container: it begins with {data[:5].hex() or 'nothing'}.")
    version = data[len(MAGIC) : len(MAGIC) + 1]
    if not version or version[0] not in VERSIONS:
        versions = ", ".join(map(str, VERSIONS))
        raise FormatError(f"container version {version.hex() or 'missing'}; this reader knows {versions}.")
    return version[0]


def _tensor(spec: TensorSpec, content: NDArray[Any] | Clustered) -> StoredTensor:
    """What the header's entry and the bytes make together."""
    if spec.dtype in NAMED_DTYPES:
        return NamedTensor(cast(NamedDtype, spec.dtype), content)
    return content


def _read_indices(
    reader: ByteReader,
    specs: Sequence[TensorSpec],
    part_ends: list[tuple[str, str, int]],
    budget: StepBudget,
) -> list[Symbols]:
    """The flat indices of each clustered tensor, in the smallest type; notes where mask and values end."""
    largest = max((spec.codebook_size or 0 for spec in specs), default=0)
    mask, coder = read_stream(reader, sum(spec.size for spec in specs), 2, budget)
    part_ends.append(("mask", coder, reader.position))
    values, coder = read_stream(reader, int(np.count_nonzero(mask)), max(largest, 1), budget)
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


def _write_planes(arrays: Sequence[NDArray[Any]], budget: StepBudget) -> bytes:
    """Arrays of equal type together, the first bytes of all items, then the second, …"""
    parts = []
    for dtype in DTYPES:
        chosen = [
            array.astype(dtype).tobytes() for array in arrays if array.dtype.newbyteorder("<") == dtype
        ]
        planes = np.frombuffer(b"".join(chosen), np.uint8).reshape(-1, np.dtype(dtype).itemsize).T
        parts += [write_stream(plane, 256, budget) for plane in planes if plane.size]
    return b"".join(parts)


def _read_planes(
    reader: ByteReader, kinds: Sequence[tuple[str, int]], budget: StepBudget
) -> list[NDArray[Any]]:
    """Flat arrays of the given types and sizes."""
    arrays: dict[int, NDArray[Any]] = {}
    for dtype in DTYPES:
        places = [place for place, kind in enumerate(kinds) if kind[0] == dtype]
        count = sum(kinds[place][1] for place in places)
        itemsize = np.dtype(dtype).itemsize
        planes = [read_stream(reader, count, 256, budget)[0] for _ in range(itemsize if count else 0)]
        content = np.stack(planes, axis=1) if planes else np.zeros((0, itemsize), np.uint8)
        if dtype == "|b1" and content.max(initial=0) > 1:
            raise FormatError("a Boolean tensor holds a byte other than 0 and 1.")
        start = 0
        for place in places:
            stop = start + kinds[place][1]
            arrays[place] = content[start:stop].copy().view(dtype).reshape(-1)
            start = stop
    return [arrays[place] for place in range(len(kinds))]

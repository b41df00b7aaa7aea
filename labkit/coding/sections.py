"""The container's sections: indices as mask and values or jointly, and byte planes of arrays.

Leaves out: what stands around them (:mod:`labkit.coding.container`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labkit.coding.bits import FormatError, Reader, Symbols, index_dtype
from labkit.coding.header import TensorSpec
from labkit.coding.records import Clustered
from labkit.coding.streams import Coder, read_stream, write_stream

__all__ = [
    "Layout",
    "LedgerReader",
    "LedgerRow",
    "read_indices",
    "read_planes",
    "write_indices",
    "write_planes",
]

APART, JOINT = 0, 1
ITEM_SIZES_BYTES = (1, 2, 4, 8)

Layout = Literal["apart", "joint"]


@dataclass(frozen=True)
class LedgerRow:
    """A part of the file, how it is coded, and what it takes."""

    part: str
    coder: str
    size_bytes: int


class LedgerReader(Reader):
    """A reader that notes what has been read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.rows: list[LedgerRow] = []

    def note(self, part: str, coder: str) -> None:
        """Enter all that was read since the last entry."""
        size_bytes = self.position - sum(row.size_bytes for row in self.rows)
        self.rows.append(LedgerRow(part, coder, size_bytes))


def write_indices(clustered: Sequence[Clustered], layout: Layout, coder: Coder | None) -> bytes:
    """The layout, then mask and values, or both in one stream; nothing if there are no weights."""
    sizes = [np.asarray(record.indices).size for record in clustered]
    if not sum(sizes):
        return b""
    alphabet_size = 1 + max(len(record.codebook) for record in clustered)
    indices = np.concatenate(
        [np.asarray(record.indices, index_dtype(alphabet_size)).reshape(-1) for record in clustered]
    )
    if layout == "joint":
        stream = write_stream(indices, alphabet_size, groups=sizes, follow_density=True, coder=coder)
        return bytes([JOINT]) + stream
    mask = (indices > 0).astype(np.uint8)
    counts = _nonzeros(mask, sizes)
    values = indices[mask > 0] - 1
    return (
        bytes([APART])
        + write_stream(mask, 2, groups=sizes, follow_density=True, coder=coder)
        + write_stream(values, max(alphabet_size - 1, 1), groups=counts, coder=coder)
    )


def _nonzeros(mask: Symbols, sizes: Sequence[int]) -> list[int]:
    """How many weights of each tensor are kept."""
    ends = np.cumsum(sizes)
    total = np.concatenate([[0], np.cumsum(mask, dtype=np.int64)])
    return (total[ends] - total[ends - sizes]).tolist()


def read_indices(reader: LedgerReader, specs: Sequence[TensorSpec]) -> Iterator[Symbols]:
    """The flat indices of each clustered tensor, in the smallest type."""
    sizes = [spec.size for spec in specs]
    alphabet_size = 1 + max((spec.codebook_size or 0 for spec in specs), default=0)
    indices = np.zeros(0, index_dtype(alphabet_size))
    if sum(sizes):
        layout = reader.take(1, "layout")[0]
        if layout == JOINT:
            indices, coder = read_stream(reader, sum(sizes), alphabet_size, groups=sizes)
            reader.note("mask and values", coder)
        elif layout == APART:
            indices = _read_apart(reader, sizes, alphabet_size)
        else:
            raise FormatError(f"layout {layout} is unknown.")
    parts = []
    for spec, part in zip(specs, np.split(indices, np.cumsum(sizes)[:-1]), strict=bool(specs)):
        size = spec.codebook_size or 0
        if part.size and int(part.max()) > size:
            raise FormatError(f"tensor {spec.name!r} has index {part.max()} of {size} centroids.")
        parts.append(part.astype(index_dtype(size + 1)))
    return iter(parts)


def _read_apart(reader: LedgerReader, sizes: Sequence[int], alphabet_size: int) -> Symbols:
    """Mask and values, put together."""
    mask, coder = read_stream(reader, sum(sizes), 2, groups=sizes)
    reader.note("mask", coder)
    counts = _nonzeros(mask, sizes)
    values, coder = read_stream(reader, sum(counts), max(alphabet_size - 1, 1), groups=counts)
    reader.note("values", coder)
    if alphabet_size == 1 and values.size:
        raise FormatError("weights are kept, but no tensor has a centroid.")
    indices = np.zeros(mask.size, index_dtype(alphabet_size))
    indices[mask > 0] = values
    indices += mask.astype(indices.dtype)
    return indices


def write_planes(arrays: Sequence[NDArray[Any]], coder: Coder | None = None) -> bytes:
    """Arrays of equal item size together, the first bytes of all items, then the second, …"""
    parts = []
    for itemsize in ITEM_SIZES_BYTES:
        content = b"".join(
            np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
            for array in arrays
            if array.dtype.itemsize == itemsize
        )
        planes = np.frombuffer(content, np.uint8).reshape(-1, itemsize)
        if planes.size:
            parts += [write_stream(plane, 256, coder=coder) for plane in np.ascontiguousarray(planes.T)]
    return b"".join(parts)


def read_planes(reader: LedgerReader, kinds: Sequence[tuple[str, int]], part: str) -> list[NDArray[Any]]:
    """Flat arrays of the given types and sizes."""
    contents: dict[int, Symbols] = {}
    coders: list[str] = []
    for itemsize in ITEM_SIZES_BYTES:
        count = sum(size for dtype, size in kinds if np.dtype(dtype).itemsize == itemsize)
        if count:
            planes, names = zip(*(read_stream(reader, count, 256) for _ in range(itemsize)), strict=True)
            contents[itemsize] = np.stack(planes, axis=1).reshape(-1)
            coders += [name for name in names if name not in coders]
    if coders:
        reader.note(part, ", ".join(coders))
    arrays, used = [], dict.fromkeys(ITEM_SIZES_BYTES, 0)
    for dtype, size in kinds:
        itemsize = np.dtype(dtype).itemsize
        first = used[itemsize]
        used[itemsize] = first + size * itemsize
        content = contents.get(itemsize, np.zeros(0, np.uint8))[first : used[itemsize]]
        if dtype == "|b1" and size and int(content.max()) > 1:
            raise FormatError("a Boolean tensor holds a byte other than 0 and 1.")
        arrays.append(content.copy().view(dtype))
    return arrays

"""The file that holds a small network: tensors by name ↔ bytes, with a ledger that sums to its size.

docs/format.md says what stands where. A tensor is stored exactly as an array, or clustered: indices
into its own codebook, 0 for a pruned weight. Little-endian, no pickle, the same bytes for the same
tensors; anything damaged is a :class:`~labkit.coding.bits.FormatError`.
Leaves out: paths; how weights become clusters; folding batch norm, which the caller does.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from labkit.coding.bits import FormatError, varint
from labkit.coding.header import TensorSpec, read_header, write_header
from labkit.coding.records import Clustered, Record, spec_of
from labkit.coding.sections import (
    Layout,
    LedgerReader,
    LedgerRow,
    read_indices,
    read_planes,
    write_indices,
    write_planes,
)
from labkit.coding.streams import Coder, check_coder, read_stream, write_stream

__all__ = ["decode", "encode", "ledger"]

MAGIC = b"\x89LKC\x01"  # the last byte is the version
CHECKSUM_BYTES = 4


def encode(
    records: Mapping[str, Record], *, layout: Layout | None = None, coder: Coder | None = None
) -> bytes:
    """Write tensors as one file's bytes.

    Args:
        records: tensors by name, in an order that is kept. Arrays are float, integer or bool.
        layout: code the mask apart from the values, or both jointly; by default what is smaller.
        coder: ``"raw"``, ``"huffman"`` or ``"rans"`` for all indices; by default the smallest.

    Returns:
        The file. Indices come back in the smallest unsigned type, everything else as it was.

    Raises:
        ValueError: if a tensor, the layout or the coder cannot be stored; says which and why.
        TypeError: if a tensor's type is not one of those named.
    """
    check_coder(coder)
    if layout not in (None, "apart", "joint"):
        raise ValueError(f"layout {layout!r} is unknown; give apart, joint or None for the smaller.")
    specs = [spec_of(name, record) for name, record in records.items()]
    layouts: tuple[Layout, ...] = (layout,) if layout else ("apart", "joint")
    head = _write_head(specs)
    body = min((_write_body(records, choice, coder) for choice in layouts), key=len)
    size_bytes = len(head) + len(body) + CHECKSUM_BYTES
    if _content_size(specs) > _max_content_size(size_bytes):  # a reader would refuse it as a bomb
        body = _write_body(records, "joint", "raw", plane_coder="raw")
    content = head + body
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


def _write_body(
    records: Mapping[str, Record], layout: Layout, coder: Coder | None, plane_coder: Coder | None = None
) -> bytes:
    """Everything between header and checksum."""
    clustered = [record for record in records.values() if isinstance(record, Clustered)]
    arrays = [np.asarray(record) for record in records.values() if not isinstance(record, Clustered)]
    return (
        write_indices(clustered, layout, coder)
        + write_planes([record.codebook for record in clustered], plane_coder)
        + write_planes(arrays, plane_coder)
    )


def _content_size(specs: Sequence[TensorSpec]) -> int:
    """Symbols that a reader makes room for: one a clustered weight, one a byte of anything else."""
    return sum(
        spec.size * spec.itemsize_bytes
        if spec.codebook_size is None
        else spec.size + spec.codebook_size * spec.itemsize_bytes
        for spec in specs
    )


def _max_content_size(size_bytes: int) -> int:
    """How many symbols a file of this size may hold; raw coding is always below it."""
    return (1 << 20) + 64 * size_bytes


def _write_head(specs: Sequence[TensorSpec]) -> bytes:
    """Magic, version and header."""
    header = np.frombuffer(write_header(specs), np.uint8)
    stream = min((write_stream(header, 256, coder=coder) for coder in ("raw", "huffman")), key=len)
    if header.size > 8 * len(stream):
        stream = write_stream(header, 256, coder="raw")
    return MAGIC + varint(header.size) + stream


def _parse(data: bytes) -> tuple[dict[str, Record], list[LedgerRow]]:
    """The tensors and the ledger."""
    if data[: len(MAGIC) - 1] != MAGIC[:-1]:
        raise FormatError(f"not a labkit container: it begins with {data[:5].hex() or 'nothing'}.")
    if data[len(MAGIC) - 1 : len(MAGIC)] != MAGIC[-1:]:
        raise FormatError(f"container version {data[4:5].hex() or 'missing'}; this reader knows 1.")
    content, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
    if zlib.crc32(content) != int.from_bytes(checksum, "little"):
        raise FormatError("the checksum does not match: the file is damaged or cut short.")
    reader = LedgerReader(content)
    reader.take(len(MAGIC), "magic")
    reader.note("magic and version", "raw")
    specs = _read_specs(reader, len(data))
    clustered = [spec for spec in specs if spec.codebook_size is not None]
    indices = read_indices(reader, clustered)
    shapes = [(spec.dtype, spec.codebook_size or 0) for spec in clustered]
    codebooks = iter(read_planes(reader, shapes, "codebooks"))
    dense_specs = [spec for spec in specs if spec.codebook_size is None]
    dense = iter(read_planes(reader, [(spec.dtype, spec.size) for spec in dense_specs], "dense tensors"))
    reader.finish("container")
    records: dict[str, Record] = {}
    for spec in specs:
        if spec.codebook_size is None:
            records[spec.name] = next(dense).reshape(spec.shape)
        else:
            records[spec.name] = Clustered(next(indices).reshape(spec.shape), next(codebooks))
    return records, [*reader.rows, LedgerRow("checksum", "raw", CHECKSUM_BYTES)]


def _read_specs(reader: LedgerReader, size_bytes: int) -> list[TensorSpec]:
    """The header, refused if it promises more than a file of this size may hold."""
    header_bytes = reader.varint("header size")
    if header_bytes > 8 * size_bytes:
        raise FormatError(f"a header of {header_bytes} bytes in a file of {size_bytes}.")
    header, coder = read_stream(reader, header_bytes, 256)
    specs = read_header(header.tobytes())
    if _content_size(specs) > _max_content_size(size_bytes):
        raise FormatError(
            f"tensors of {_content_size(specs)} symbols in a file of {size_bytes} bytes; "
            f"at most {_max_content_size(size_bytes)} are allowed."
        )
    reader.note("header", coder)
    return specs

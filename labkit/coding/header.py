"""The container's header: names, shapes and types of its tensors, as compressed JSON.

Leaves out: the tensors' content (:mod:`labkit.coding.container`).
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Literal, NamedTuple

from labkit.coding.bits import FormatError

__all__ = ["DTYPES", "NAMED_DTYPES", "Header", "NamedDtype", "TensorSpec", "read_header", "write_header"]

NamedDtype = Literal[
    "float16",
    "bfloat16",
    "complex32",
    "complex64",
    "complex128",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "float4_e2m1fn_x2",
]


class NamedForm(NamedTuple):
    """How a tensor of a named type is stored, and the first version of the format that holds it."""

    dtype: str
    items: int  # per entry: a complex number is its real and its imaginary part
    version: int


DTYPES = ("<f4", "<f2", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1")
NAMED_DTYPES: Mapping[str, NamedForm] = {
    "float16": NamedForm("<f2", 1, 2),
    "bfloat16": NamedForm("<u2", 1, 2),
    "complex32": NamedForm("<f2", 2, 3),
    "complex64": NamedForm("<f4", 2, 3),
    "complex128": NamedForm("<f8", 2, 3),
    "float8_e4m3fn": NamedForm("|u1", 1, 3),
    "float8_e4m3fnuz": NamedForm("|u1", 1, 3),
    "float8_e5m2": NamedForm("|u1", 1, 3),
    "float8_e5m2fnuz": NamedForm("|u1", 1, 3),
    "float8_e8m0fnu": NamedForm("|u1", 1, 3),
    "float4_e2m1fn_x2": NamedForm("|u1", 1, 3),
}
CODEBOOK_DTYPES = ("<f4", "<f2", "float16", "bfloat16")
METADATA_VERSION = 3
MAX_HEADER_BYTES = 1 << 20  # before compression
MAX_DIMENSIONS = 32
MAX_EXTENT = 1 << 40
MAX_CODEBOOK_SIZE = (1 << 16) - 1
MAX_QUOTED = 120  # letters of what an error message quotes


@dataclass(frozen=True)
class TensorSpec:
    """Name, type and shape of a tensor; the ``dtype`` of a clustered tensor is that of its codebook.

    ``dtype`` is one of :data:`DTYPES` or of :data:`NAMED_DTYPES`.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    codebook_size: int | None = None

    def __post_init__(self) -> None:
        """Refuse what a container cannot hold; a header that was read may hold anything."""
        name = _short(self.name)
        if not isinstance(self.name, str) or self.dtype not in (*DTYPES, *NAMED_DTYPES):
            raise ValueError(f"tensor {name} is of unknown type {_short(self.dtype)}.")
        sizes = [*self.shape, 0 if self.codebook_size is None else self.codebook_size]
        if not all(type(size) is int and size >= 0 for size in sizes):
            raise ValueError(f"tensor {name} has sizes {_short(sizes)}.")
        # subtle: the product of a million sizes takes minutes, so their number and each are checked first.
        is_small = len(self.shape) <= MAX_DIMENSIONS and max(self.shape, default=0) <= MAX_EXTENT
        # NumPy needs the extent small even if a size is 0.
        if not is_small or math.prod(size or 1 for size in self.shape) > MAX_EXTENT:
            raise ValueError(
                f"tensor {name} has shape {_short(self.shape)}; "
                f"at most {MAX_DIMENSIONS} dimensions and 2**40 entries fit."
            )
        if self.codebook_size is not None and (
            self.dtype not in CODEBOOK_DTYPES or self.codebook_size > MAX_CODEBOOK_SIZE
        ):
            raise ValueError(
                f"tensor {name}: the codebook must be float32, float16 or bfloat16 with at most "
                f"{MAX_CODEBOOK_SIZE} values, not {_short(self.codebook_size)} of {self.dtype}."
            )

    @property
    def size(self) -> int:
        """The number of entries."""
        return math.prod(self.shape)

    @property
    def _form(self) -> NamedForm:
        return NAMED_DTYPES.get(self.dtype, NamedForm(self.dtype, 1, 1))

    @property
    def stored_dtype(self) -> str:
        """The one of :data:`DTYPES` that its bytes have."""
        return self._form.dtype

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The shape of its array: with a last axis of 2 for the parts of complex numbers."""
        return self.shape if self._form.items == 1 else (*self.shape, self._form.items)

    @property
    def version(self) -> int:
        """The first version of the format that holds its type."""
        return self._form.version


@dataclass(frozen=True)
class Header:
    """What the header says: the tensors in their order, and the notes of the file's owner, if any."""

    specs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Refuse what a container cannot hold."""
        if self.metadata is not None and not (
            isinstance(self.metadata, Mapping)
            and all(isinstance(text, str) for item in self.metadata.items() for text in item)
        ):
            raise ValueError(f"metadata must be text by name, got {_short(self.metadata)}.")
        if len({spec.name for spec in self.specs}) < len(self.specs):
            raise ValueError("a duplicate tensor name.")

    @property
    def version(self) -> int:
        """The first version of the format that holds it."""
        least = 1 if self.metadata is None else METADATA_VERSION
        return max([least, *(spec.version for spec in self.specs)])


def write_header(header: Header) -> bytes:
    """Write the entries of all tensors, in order, and the metadata if its version has a place for it.

    Raises:
        ValueError: if the header is longer than a reader accepts.
    """
    entries = [astuple(spec) for spec in header.specs]
    has_metadata = header.version >= METADATA_VERSION
    metadata = None if header.metadata is None else dict(header.metadata)
    content = json.dumps(
        {"metadata": metadata, "tensors": entries} if has_metadata else entries,
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    if len(content) > MAX_HEADER_BYTES:
        raise ValueError(
            f"{len(entries)} tensors{' and the metadata' * has_metadata} take a header of "
            f"{len(content)} bytes; at most {MAX_HEADER_BYTES} fit."
        )
    return zlib.compress(content, 9)


def read_header(data: bytes, version: int) -> Header:
    """Read the header that :func:`write_header` wrote in a file of this version.

    Raises:
        FormatError: if the header is damaged, too long, or describes what a container cannot hold.
    """
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, MAX_HEADER_BYTES)
        if not inflater.eof or inflater.unused_data:
            raise ValueError(f"not one zlib stream of at most {MAX_HEADER_BYTES} bytes.")
        content, metadata = json.loads(text), None
        if version >= METADATA_VERSION:
            if not isinstance(content, dict) or sorted(content) != ["metadata", "tensors"]:
                raise ValueError("not an object with metadata and tensors.")
            content, metadata = content["tensors"], content["metadata"]
        specs = [TensorSpec(name, dtype, tuple(shape), size) for name, dtype, shape, size in content]
        header = Header(tuple(specs), metadata)
    except (zlib.error, ValueError, TypeError, RecursionError) as error:
        raise FormatError(f"header: {error}") from error
    if header.version > version:
        raise FormatError(f"header: it needs version {header.version} of the format, not {version}.")
    return header


def _short(value: object) -> str:
    """The representation of anything, cut: a hostile header has a name of a million letters."""
    text = repr(value)
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"

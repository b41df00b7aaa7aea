"""The container's header: names, shapes and types of its tensors, as compressed JSON.

Leaves out: the tensors' content (:mod:`labkit.coding.container`).
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Literal, get_args

from labkit.coding.bits import FormatError

__all__ = ["DTYPES", "HALF_DTYPES", "HalfDtype", "TensorSpec", "read_header", "write_header"]

HalfDtype = Literal["float16", "bfloat16"]

DTYPES = ("<f4", "<f2", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1")
HALF_DTYPES = dict(zip(get_args(HalfDtype), ("<f2", "<u2"), strict=True))  # and how each is stored
CODEBOOK_DTYPES = ("<f4", "<f2", *HALF_DTYPES)
MAX_HEADER_BYTES = 1 << 20  # before compression
MAX_DIMENSIONS = 32
MAX_EXTENT = 1 << 40
MAX_CODEBOOK_SIZE = (1 << 16) - 1


@dataclass(frozen=True)
class TensorSpec:
    """Name, type and shape of a tensor; the ``dtype`` of a clustered tensor is that of its codebook.

    ``dtype`` is one of :data:`DTYPES` or of :data:`HALF_DTYPES`.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    codebook_size: int | None = None

    def __post_init__(self) -> None:
        """Refuse what a container cannot hold; a header that was read may hold anything."""
        if not isinstance(self.name, str) or self.dtype not in (*DTYPES, *HALF_DTYPES):
            raise ValueError(f"tensor {self.name!r} is of unknown type {self.dtype!r}.")
        sizes = [*self.shape, self.codebook_size or 0]
        if not all(type(size) is int and size >= 0 for size in sizes):
            raise ValueError(f"tensor {self.name!r} has sizes {sizes}.")
        extent = math.prod(size or 1 for size in self.shape)  # NumPy needs it small even if a size is 0
        if len(self.shape) > MAX_DIMENSIONS or extent > MAX_EXTENT:
            raise ValueError(
                f"tensor {self.name!r} has shape {self.shape}; "
                f"at most {MAX_DIMENSIONS} dimensions and 2**40 entries fit."
            )
        if self.codebook_size is not None and (
            self.dtype not in CODEBOOK_DTYPES or self.codebook_size > MAX_CODEBOOK_SIZE
        ):
            raise ValueError(
                f"tensor {self.name!r}: the codebook must be float32, float16 or bfloat16 with at most "
                f"{MAX_CODEBOOK_SIZE} values, not {self.codebook_size} of {self.dtype}."
            )

    @property
    def size(self) -> int:
        """The number of entries."""
        return math.prod(self.shape)

    @property
    def stored_dtype(self) -> str:
        """The one of :data:`DTYPES` that its bytes have."""
        return HALF_DTYPES.get(self.dtype, self.dtype)


def write_header(specs: Sequence[TensorSpec]) -> bytes:
    """Write the entries of all tensors, in order.

    Raises:
        ValueError: if the header is longer than a reader accepts.
    """
    content = json.dumps(
        [astuple(spec) for spec in specs], ensure_ascii=False, separators=(",", ":")
    ).encode()
    if len(content) > MAX_HEADER_BYTES:
        raise ValueError(
            f"{len(specs)} tensors take a header of {len(content)} bytes; at most {MAX_HEADER_BYTES} fit."
        )
    return zlib.compress(content, 9)


def read_header(data: bytes) -> list[TensorSpec]:
    """Read the entries that :func:`write_header` wrote.

    Raises:
        FormatError: if the header is damaged, too long, or describes what a container cannot hold.
    """
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(data, MAX_HEADER_BYTES)
        if not inflater.eof or inflater.unused_data:
            raise FormatError(f"header: not one zlib stream of at most {MAX_HEADER_BYTES} bytes.")
        specs = [
            TensorSpec(name, dtype, tuple(shape), size) for name, dtype, shape, size in json.loads(content)
        ]
    except (zlib.error, ValueError, TypeError, RecursionError) as error:
        raise FormatError(f"header: {error}") from error
    if len({spec.name for spec in specs}) < len(specs):
        raise FormatError("header: a duplicate tensor name.")
    return specs

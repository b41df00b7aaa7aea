"""The container's header: names, shapes and kinds of its tensors, a few bytes each.

A network's names repeat: ``layer1.1.conv2.weight`` is ``layer1.0.conv2.weight`` with another middle.
A name is written as the distance to an earlier one, how much of its beginning and end it shares,
and what stands between; its kind and shape may be those of the earlier tensor.
Leaves out: the tensors' content.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labkit.coding.bits import FormatError, Reader, varint

__all__ = [
    "DTYPES",
    "MAX_DIMENSIONS",
    "MAX_EXTENT",
    "MAX_NAMES_BYTES",
    "MAX_NAME_BYTES",
    "MAX_TENSORS",
    "TensorSpec",
    "read_header",
    "write_header",
]

DTYPES = ("<f4", "<f2", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1")
CLUSTERED = 16  # + index of the codebook's dtype, 0 or 1
SAME_AS_EARLIER = 255
MAX_TENSORS = 1 << 14
MAX_NAME_BYTES = 1024
MAX_NAMES_BYTES = 1 << 20  # of all names together
MAX_DIMENSIONS = 32
MAX_EXTENT = 1 << 40
_WINDOW = 64  # how far back a name looks for a likeness


@dataclass(frozen=True)
class TensorSpec:
    """What a tensor is: for a clustered one, ``dtype`` is its codebook's."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    codebook_size: int | None = None

    @property
    def size(self) -> int:
        """How many entries it has."""
        return math.prod(self.shape)

    @property
    def extent(self) -> int:
        """Its size if no dimension were 0; NumPy needs it to be small even for an empty array."""
        return math.prod(length or 1 for length in self.shape)

    @property
    def itemsize_bytes(self) -> int:
        """Bytes of an entry, or of a codebook's."""
        return np.dtype(self.dtype).itemsize

    def is_like(self, other: TensorSpec) -> bool:
        """Whether only the names differ."""
        return (self.dtype, self.shape, self.codebook_size) == (
            other.dtype,
            other.shape,
            other.codebook_size,
        )


def write_header(specs: Sequence[TensorSpec]) -> bytes:
    """The number of tensors, then each in order.

    Raises:
        ValueError: if there are too many tensors, or their names are too long.
    """
    names_bytes = sum(len(spec.name.encode()) for spec in specs)
    if len(specs) > MAX_TENSORS or names_bytes > MAX_NAMES_BYTES:
        raise ValueError(
            f"{len(specs)} tensors with names of {names_bytes} bytes; a container has at most "
            f"{MAX_TENSORS} and {MAX_NAMES_BYTES}."
        )
    parts = [varint(len(specs))]
    for position, spec in enumerate(specs):
        earlier = specs[max(0, position - _WINDOW) : position][::-1]
        choices = [_name_and_kind(spec, None, 0)]
        choices += [_name_and_kind(spec, other, distance + 1) for distance, other in enumerate(earlier)]
        parts.append(min(choices, key=len))
    return b"".join(parts)


def read_header(data: bytes) -> list[TensorSpec]:
    """The tensors that :func:`write_header` wrote.

    Raises:
        FormatError: if the header is damaged, or its names take more than a mebibyte.
    """
    reader = Reader(data)
    count = reader.varint("number of tensors")
    if count > MAX_TENSORS:
        raise FormatError(f"{count} tensors; a container has at most {MAX_TENSORS}.")
    specs: list[TensorSpec] = []
    names: set[str] = set()
    names_bytes = 0
    for _ in range(count):
        spec = _read_spec(reader, specs)
        names_bytes += len(spec.name.encode())
        if spec.name in names or names_bytes > MAX_NAMES_BYTES:
            raise FormatError(f"tensor name {spec.name[:40]!r} is a duplicate, or names are too long.")
        names.add(spec.name)
        specs.append(spec)
    reader.finish("header")
    return specs


def _name_and_kind(spec: TensorSpec, earlier: TensorSpec | None, distance: int) -> bytes:
    """One tensor, told by the difference from an earlier one."""
    name = spec.name.encode()
    if earlier is None:
        text = varint(0) + varint(len(name)) + name
    else:
        model = earlier.name.encode()
        head = _shared(name, model)
        tail = min(_shared(name[::-1], model[::-1]), len(name) - head, len(model) - head)
        middle = name[head : len(name) - tail]
        text = varint(distance) + varint(head) + varint(tail) + varint(len(middle)) + middle
        if spec.is_like(earlier):
            return text + bytes([SAME_AS_EARLIER])
    kind = DTYPES.index(spec.dtype)
    shape = bytes([len(spec.shape)]) + b"".join(map(varint, spec.shape))
    if spec.codebook_size is None:
        return text + bytes([kind]) + shape
    return text + bytes([CLUSTERED + kind]) + varint(spec.codebook_size) + shape


def _shared(a: bytes, b: bytes) -> int:
    """Length of the common beginning."""
    shortest = min(len(a), len(b))
    return next((i for i in range(shortest) if a[i] != b[i]), shortest)


def _read_spec(reader: Reader, specs: Sequence[TensorSpec]) -> TensorSpec:
    """One tensor, given those before it."""
    distance = reader.varint("distance to a tensor's model")
    if distance > len(specs):
        raise FormatError(f"a tensor refers {distance} back, but it is number {len(specs)}.")
    earlier = specs[-distance] if distance else None
    name = _read_name(reader, earlier.name.encode() if earlier else None)
    kind = reader.take(1, f"kind of tensor {name!r}")[0]
    if kind == SAME_AS_EARLIER and earlier:
        return TensorSpec(name, earlier.dtype, earlier.shape, earlier.codebook_size)
    codebook_size = None
    if kind in (CLUSTERED, CLUSTERED + 1):
        kind -= CLUSTERED
        codebook_size = reader.varint(f"codebook of tensor {name!r}")
        if codebook_size >= 1 << 16:
            raise FormatError(f"tensor {name!r} has {codebook_size} centroids; at most 65,535 fit.")
    if kind >= len(DTYPES):
        raise FormatError(f"tensor {name!r} is of unknown kind {kind}.")
    dimensions = reader.take(1, f"shape of tensor {name!r}")[0]
    if dimensions > MAX_DIMENSIONS:
        raise FormatError(f"tensor {name!r} has {dimensions} dimensions; at most {MAX_DIMENSIONS} fit.")
    shape = tuple(reader.varint(f"shape of tensor {name!r}") for _ in range(dimensions))
    spec = TensorSpec(name, DTYPES[kind], shape, codebook_size)
    if spec.extent > MAX_EXTENT:
        raise FormatError(f"tensor {name!r} has shape {shape}.")
    return spec


def _read_name(reader: Reader, model: bytes | None) -> str:
    """A name, given the one it resembles."""
    if model is None:
        head = tail = b""
    else:
        first, last = reader.varint("shared beginning"), reader.varint("shared end")
        if first + last > len(model):
            raise FormatError(f"a name shares {first} + {last} bytes with one of {len(model)}.")
        head, tail = model[:first], model[len(model) - last :]
    name = head + reader.take(reader.varint("length of a name"), "name") + tail
    if len(name) > MAX_NAME_BYTES:
        raise FormatError(f"a name of {len(name)} bytes; at most {MAX_NAME_BYTES} fit.")
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"a name is not UTF-8: {error}.") from error

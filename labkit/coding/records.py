"""What a container holds: arrays, and clustered tensors that share the values of a codebook.

Leaves out: their bytes (:mod:`labkit.coding.container`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.coding.header import DTYPES, MAX_DIMENSIONS, MAX_EXTENT, MAX_NAME_BYTES, TensorSpec

__all__ = ["Clustered", "Record", "spec_of"]


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


def spec_of(name: str, record: Record) -> TensorSpec:
    """What the header says of a tensor, or an error that says why it cannot be stored."""
    if not 0 < len(name.encode()) <= MAX_NAME_BYTES:
        raise ValueError(f"a tensor's name must have 1 to {MAX_NAME_BYTES} bytes, got {name[:40]!r}.")
    spec = _clustered_spec(name, record) if isinstance(record, Clustered) else _array_spec(name, record)
    if len(spec.shape) > MAX_DIMENSIONS or spec.extent > MAX_EXTENT:
        raise ValueError(
            f"tensor {name!r} has shape {spec.shape}; at most {MAX_DIMENSIONS} dimensions and 2**40 entries fit."
        )
    return spec


def _array_spec(name: str, record: NDArray[Any]) -> TensorSpec:
    """What the header says of an array."""
    array = np.asarray(record)
    dtype = array.dtype.newbyteorder("<").str
    if dtype not in DTYPES:
        raise TypeError(f"tensor {name!r} is {array.dtype}; a container holds {', '.join(DTYPES)}.")
    return TensorSpec(name, dtype, array.shape)


def _clustered_spec(name: str, record: Clustered) -> TensorSpec:
    """What the header says of a clustered tensor."""
    indices, codebook = np.asarray(record.indices), np.asarray(record.codebook)
    dtype = codebook.dtype.newbyteorder("<").str
    if dtype not in DTYPES[:2] or codebook.ndim != 1 or codebook.size >= 1 << 16:
        raise ValueError(
            f"tensor {name!r}: the codebook must be float32 or float16 (k,) with k < 65,536, "
            f"got {codebook.dtype} {codebook.shape}."
        )
    if indices.dtype.kind not in "iu":
        raise TypeError(f"tensor {name!r}: indices must be integers, got {indices.dtype}.")
    if indices.size and not 0 <= indices.min() <= indices.max() <= codebook.size:
        raise ValueError(
            f"tensor {name!r}: indices must be 0 to {codebook.size}, "
            f"got {indices.min()} to {indices.max()}."
        )
    return TensorSpec(name, dtype, indices.shape, codebook.size)

"""What ``labkit inspect`` prints of a container: what its parts take, and which tensors it holds."""

from __future__ import annotations

import numpy as np

from labkit.coding import Clustered, HalfPrecision, StoredTensor, decode, ledger
from labkit.tables import Cell, table_bundle

__all__ = ["describe"]


def describe(data: bytes) -> str:
    """Two tables as text: bytes per part, which sum to the file's size, and one row per tensor.

    Raises:
        FormatError: if the bytes are damaged.
    """
    total = len(data)
    parts: list[list[Cell]] = [
        [row.part, row.coder, row.size_bytes, _percent(row.size_bytes, total)] for row in ledger(data)
    ]
    parts.append(["file", "", total, _percent(total, total)])
    tensors = [[name, *_facts(tensor)] for name, tensor in decode(data).items()]
    return "\n\n".join(
        str(table_bundle(title, columns, rows)["text/plain"])
        for title, columns, rows in (
            ("Parts", ("part", "coder", "bytes", "%"), parts),
            ("Tensors", ("tensor", "type", "shape", "zeros (%)", "shared values"), tensors),
        )
    )


def _facts(tensor: StoredTensor) -> list[Cell]:
    """Type, shape, zeros in per cent, and the number of shared values (None for an array)."""
    content = tensor.stored if isinstance(tensor, HalfPrecision) else tensor
    if isinstance(content, Clustered):
        array, dtype, shared_values = content.indices, content.codebook.dtype, len(content.codebook)
    else:
        array, dtype, shared_values = content, content.dtype, None
    name = tensor.dtype if isinstance(tensor, HalfPrecision) else str(dtype)
    shape = "×".join(map(str, array.shape)) or "scalar"
    zeros = _percent(array.size - int(np.count_nonzero(array)), array.size)
    return [name, shape, zeros, shared_values]


def _percent(part: int, whole: int) -> float | None:
    """A share in per cent; None of nothing."""
    return 100 * part / whole if whole else None

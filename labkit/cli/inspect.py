"""What ``labkit inspect`` prints of a container: what its parts take, and which tensors it holds."""

from __future__ import annotations

import numpy as np

from labkit.coding import Clustered, NamedTensor, StoredTensor, read_container
from labkit.coding.header import NAMED_DTYPES
from labkit.tables import Cell, table_bundle

__all__ = ["describe"]

MOST_LETTERS = 200


def describe(data: bytes) -> str:
    """Two tables as text: bytes per part, which sum to the file's size, and one row per tensor.

    Raises:
        FormatError: if the bytes are damaged.
    """
    container, total = read_container(data), len(data)
    parts: list[list[Cell]] = [
        [row.part, row.coder, row.size_bytes, _percent(row.size_bytes, total)] for row in container.ledger
    ]
    parts.append(["file", "", total, _percent(total, total)])
    tensors = [[_printable(name), *_facts(tensor)] for name, tensor in container.tensors.items()]
    notes: list[list[Cell]] = [
        [_printable(name), _printable(text)] for name, text in (container.metadata or {}).items()
    ]
    return "\n\n".join(
        str(table_bundle(title, columns, rows)["text/plain"])
        for title, columns, rows in (
            ("Parts", ("part", "coder", "bytes", "%"), parts),
            ("Tensors", ("tensor", "type", "shape", "zeros (%)", "shared values"), tensors),
            *[("Metadata", ("name", "text"), notes)] * bool(notes),
        )
    )


def _facts(tensor: StoredTensor) -> list[Cell]:
    """Type, shape, zeros in per cent, and the number of shared values (None for an array)."""
    content = tensor.stored if isinstance(tensor, NamedTensor) else tensor
    if isinstance(content, Clustered):
        array, dtype, shared_values = content.indices, content.codebook.dtype, len(content.codebook)
    else:
        array, dtype, shared_values = content, content.dtype, None
    if isinstance(tensor, NamedTensor) and NAMED_DTYPES[tensor.dtype].items > 1:
        array = np.asarray(array.any(axis=-1))  # a complex number is 0 if both its parts are
    name = tensor.dtype if isinstance(tensor, NamedTensor) else str(dtype)
    shape = "×".join(map(str, array.shape)) or "scalar"
    zeros = _percent(array.size - int(np.count_nonzero(array)), array.size)
    return [name, shape, zeros, shared_values]


def _printable(text: str) -> str:
    """A name on one line of bounded length: one long name pads every row of a table."""
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}… ({len(text)} letters)"


def _percent(part: int, whole: int) -> float | None:
    """A share in per cent; None of nothing."""
    return 100 * part / whole if whole else None

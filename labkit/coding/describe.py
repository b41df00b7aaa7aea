"""A container in words: what its parts take, and which tensors it holds.

Leaves out: reading the parts (container).
"""

from __future__ import annotations

import numpy as np

from labkit.coding.container import Clustered, Record, decode, ledger

__all__ = ["describe"]


def describe(data: bytes) -> str:
    """Two tables as text: bytes a part, summing to the file's size, and the tensors.

    Raises:
        FormatError: if the bytes are damaged.
    """
    rows = [
        (row.part, row.coder, f"{row.size_bytes}", _share(row.size_bytes, len(data)))
        for row in ledger(data)
    ]
    rows.append(("file", "", f"{len(data)}", _share(len(data), len(data))))
    tensors = [(name, *_facts(record)) for name, record in decode(data).items()]
    return "\n\n".join(
        (
            _aligned([("part", "coder", "bytes", "%"), *rows], left=2),
            _aligned([("tensor", "type", "shape", "zeros (%)", "values"), *tensors], left=3),
        )
    )


def _facts(record: Record) -> tuple[str, str, str, str]:
    """Type, shape, share of zeros, and the number of shared values (– for an array)."""
    array = record.indices if isinstance(record, Clustered) else record
    kind = record.codebook.dtype if isinstance(record, Clustered) else array.dtype
    shape = "×".join(map(str, array.shape)) or "scalar"
    zeros = _share(array.size - int(np.count_nonzero(array)), array.size)
    return str(kind), shape, zeros, str(len(record.codebook)) if isinstance(record, Clustered) else "–"


def _share(part: int, whole: int) -> str:
    """A share in per cent."""
    return f"{100 * part / whole:.2f}" if whole else "–"


def _aligned(rows: list[tuple[str, ...]], *, left: int) -> str:
    """Rows as columns of equal width, the first ``left`` flush left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)

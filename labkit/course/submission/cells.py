"""The cells of a notebook as handed in, out of any bytes whatever.

Every field of a cell is what it should be or empty; what is wrong with the file is said in words.
Leaves out: which cell answers what (:mod:`labkit.course.submission.answers`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["GivenCell", "read_cells"]

MAX_CELLS = 1000
MAX_SOURCE = 100_000  # characters


class GivenCell(NamedTuple):
    """A cell as handed in; everything may be empty."""

    kind: str
    name: str
    source: str
    label: tuple[str, str]  # role and exercise
    attachments: dict[str, Any]


def read_cells(content: bytes, oddities: list[str]) -> list[GivenCell]:
    """The cells of a file that may be no notebook; what is wrong goes to ``oddities``."""
    if not content.strip():
        oddities.append("the file is empty")
        return []
    text = content.decode("utf-8-sig", "replace")
    if "\ufffd" in text:
        oddities.append("the file is not UTF-8 throughout")
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError, MemoryError) as error:
        oddities.append(f"the file is not JSON ({str(error)[:80]})")
        return []
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not any(isinstance(cell, dict) for cell in cells):
        oddities.append("the file is JSON but no notebook with cells")
        return []
    if len(cells) > MAX_CELLS:
        oddities.append(f"the notebook has {len(cells)} cells; the first {MAX_CELLS} were read")
    broken = sum(not isinstance(cell, dict) for cell in cells)
    if broken:
        oddities.append(f"{broken} cells are no cells")
    return [_cell(cell) for cell in cells[:MAX_CELLS] if isinstance(cell, dict)]


def _cell(cell: Mapping[str, Any]) -> GivenCell:
    """One cell, with nothing where it holds what no notebook does."""
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    source = source if isinstance(source, str) else ""
    source = source[:MAX_SOURCE].encode("utf-8", "replace").decode()  # subtle: JSON can hold half a pair
    metadata = cell.get("metadata")
    label = metadata.get("labkit") if isinstance(metadata, dict) else None
    label = label if isinstance(label, dict) else {}
    pictures = cell.get("attachments")
    return GivenCell(
        kind=str(cell.get("cell_type"))[:20],
        name=str(cell.get("id", ""))[:80],
        source=source.replace("\r\n", "\n").strip("\n"),
        label=(str(label.get("role", ""))[:20], str(label.get("id", ""))[:20]),
        attachments={
            str(name): {kind: data for kind, data in bundle.items() if _is_picture(kind, data)}
            for name, bundle in (pictures.items() if isinstance(pictures, dict) else ())
            if isinstance(bundle, dict)
        },
    )


def _is_picture(kind: Any, data: Any) -> bool:
    return kind in ("image/png", "image/jpeg") and isinstance(data, str)

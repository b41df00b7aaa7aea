"""Read the cells of a submitted notebook from bytes that may be damaged or malicious.

Every field of a cell has the right type or is empty; what is wrong with the file becomes a warning.
Which cell answers which exercise is decided in :mod:`labkit.course.submission.answers`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Attachments", "SubmittedCell", "read_cells"]

MAX_CELLS = 1000
MAX_SOURCE = 100_000  # characters
MAX_NAME = 80
CELL_TYPES = ("code", "markdown", "raw")
Attachments = dict[str, dict[str, str]]  # pictures in Base64 by MIME type, by file name
PICTURES = ("image/png", "image/jpeg", "image/gif")


class SubmittedCell(NamedTuple):
    """A submitted cell; every field may be empty."""

    kind: str
    name: str
    source: str
    label: tuple[str, str]  # role and exercise
    attachments: Attachments


def read_cells(content: bytes, warnings: list[str]) -> list[SubmittedCell]:
    """Read the cells of a file that may not be a notebook; problems are appended to ``warnings``."""
    if not content.strip():
        warnings.append("the file is empty")
        return []
    text = content.decode(json.detect_encoding(content), "replace")  # UTF-8 or UTF-16, maybe with a mark
    if "\ufffd" in text:
        warnings.append("the file is not UTF-8 throughout")
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        warnings.append(f"the file is not JSON ({str(error)[:80]})")
        return []
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list) or not any(isinstance(cell, dict) for cell in cells):
        warnings.append("the file is JSON but not a notebook with cells")
        return []
    if len(cells) > MAX_CELLS:
        warnings.append(f"the notebook has {len(cells)} cells; the first {MAX_CELLS} were read")
    broken = sum(not isinstance(cell, dict) for cell in cells)
    if broken:
        warnings.append(f"{broken} entries in 'cells' are not cells")
    return [_cell(cell) for cell in cells[:MAX_CELLS] if isinstance(cell, dict)]


def _cell(cell: Mapping[str, Any]) -> SubmittedCell:
    """One cell; a field of the wrong type becomes empty."""
    source = cell.get("source")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    metadata = cell.get("metadata")
    label = metadata.get("labkit") if isinstance(metadata, dict) else None
    label = label if isinstance(label, dict) else {}
    pictures = cell.get("attachments")
    kind = cell.get("cell_type")
    return SubmittedCell(
        kind=kind if kind in CELL_TYPES else "unknown",
        name=_text(cell.get("id"), MAX_NAME),
        source=_text(source, MAX_SOURCE).replace("\r\n", "\n").strip("\n"),
        label=(_text(label.get("role"), MAX_NAME), _text(label.get("id"), MAX_NAME)),
        attachments={
            _text(name, MAX_SOURCE): {
                kind: data for kind, data in bundle.items() if _is_picture(kind, data)
            }
            for name, bundle in (pictures.items() if isinstance(pictures, dict) else ())
            if isinstance(bundle, dict)
        },
    )


def _text(value: Any, length: int) -> str:
    """At most ``length`` characters of a string; nothing of another value."""
    # subtle: JSON can hold half of a surrogate pair, which no file and no page can.
    return value[:length].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _is_picture(kind: Any, data: Any) -> bool:
    return kind in PICTURES and isinstance(data, str) and data.isascii()

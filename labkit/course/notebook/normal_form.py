"""The normal form in which a lab is stored: a file changes only if the lab changes.

nbgrader's metadata is derived here from the labels of :mod:`labkit.course.notebook.structure` and is
never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nbformat
from nbformat import NotebookNode

from labkit.course.notebook.structure import (
    EXERCISE_ROLES,
    GRADED_ROLES,
    cell_info,
    cell_role,
    lab_metadata,
)
from labkit.error_names import public_name, with_public_names

__all__ = ["normalise", "to_bytes"]

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Return a copy in normal form. Only the fields listed below are kept; the operation is idempotent.

    Kept are cell ids, sources (without blank ends), attachments, labels, and outputs with alt text as
    their only metadata. Set are the kernelspec, the language, nbgrader's metadata, and the execution
    counts 1 to N of the code cells that were executed. Streams that a kernel sent in pieces are joined.
    """
    cells, count = [], 0
    for cell in notebook.cells:
        executed = cell.cell_type == "code" and cell.execution_count is not None and cell.source.strip()
        count += bool(executed)
        cells.append(_normal_cell(cell, count if executed else None))
    metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    return nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells})


def to_bytes(notebook: NotebookNode) -> bytes:
    """Return the notebook as the bytes of a file: sorted keys, one space of indentation, UTF-8."""
    # subtle: half of a surrogate pair becomes JSON's own escape of it, as it was in the file it came from.
    return (nbformat.writes(notebook).rstrip("\n") + "\n").encode("utf-8", "backslashreplace")


def _normal_cell(cell: NotebookNode, count: int | None) -> dict[str, Any]:
    """Return one cell in normal form; ``count`` is None for a cell that was not executed."""
    normal = {"cell_type": cell.cell_type, "id": cell.id, "source": cell.source.strip("\n").rstrip()}
    metadata: dict[str, Any] = {}
    labkit = lab_metadata(cell)
    if labkit:
        metadata["labkit"] = labkit
    grading = _nbgrader_metadata(cell)
    if grading:
        metadata["nbgrader"] = grading
    normal["metadata"] = metadata
    if cell.get("attachments"):
        normal["attachments"] = cell.attachments
    if cell.cell_type == "code":
        normal["execution_count"] = count
        outputs = _joined_streams(cell.outputs) if count is not None else []
        normal["outputs"] = [_normal_output(output, count) for output in outputs]
    return normal


def _nbgrader_metadata(cell: NotebookNode) -> dict[str, Any] | None:
    """Return a cell's metadata by nbgrader's schema 3, or None for a cell that nbgrader ignores.

    Students write in todo and answer cells; checks are locked and graded; the setup cell is read-only.
    Readings have none: nbgrader would have to grade what students write.
    """
    role = cell_role(cell)
    if role not in EXERCISE_ROLES and role != "setup":
        return None
    metadata = {
        "cell_type": cell.cell_type,
        "grade": role in GRADED_ROLES,
        "grade_id": cell.id,
        "locked": role not in ("todo", "answer"),
        "schema_version": 3,
        "solution": role in ("todo", "answer"),
        "task": False,
    }
    if role in GRADED_ROLES:
        metadata["points"] = cell_info(cell).points
    return metadata


def _joined_streams(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    """Yield the outputs, neighbouring pieces of the same stream joined.

    nbclient's ``coalesce_streams`` would also join pieces with a figure between them, and so move text.
    """
    previous: NotebookNode | None = None
    for output in outputs:
        if previous is not None and output.output_type == "stream" and output.name == previous.get("name"):
            previous = nbformat.from_dict({**previous, "text": previous.text + output.text})
            continue
        if previous is not None:
            yield previous
        previous = output
    if previous is not None:
        yield previous


def _normal_output(output: NotebookNode, count: int | None) -> dict[str, Any]:
    """Return one output in normal form."""
    kind = output.output_type
    if kind == "stream":
        return {"output_type": kind, "name": output.name, "text": output.text}
    if kind == "error":
        return {
            "output_type": kind,
            "ename": public_name(output["ename"]),
            "evalue": output["evalue"],
            "traceback": [with_public_names(line) for line in output["traceback"]],
        }
    alt_texts = {
        mime: {"alt": metadata["alt"]}
        for mime, metadata in output.get("metadata", {}).items()
        if isinstance(metadata, dict) and "alt" in metadata
    }
    normal = {"output_type": kind, "data": output.data, "metadata": alt_texts}
    return {**normal, "execution_count": count} if kind == "execute_result" else normal

"""The one form in which a lab is stored, so that a change in its file is a change in the lab.

nbgrader's metadata is derived here from the labels of :mod:`labkit.course.notebook.structure`, never read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nbformat
from nbformat import NotebookNode

from labkit.course.notebook.structure import EXERCISE_ROLES, GRADED_ROLES, LABELS, cell_info
from labkit.error_names import public_name, with_public_names

__all__ = ["normalise", "to_bytes"]

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def normalise(notebook: NotebookNode) -> NotebookNode:
    """A copy in normal form: only what is listed here is kept, so that applying it twice is once.

    Kept: cell ids, sources (without blank ends), attachments, labels, outputs with alt text as
    their only metadata. Set: kernelspec, language, nbgrader's metadata, execution counts 1..N over
    the code cells that were executed (a cell that was not keeps none). Streams that a kernel sent
    in pieces are joined.
    """
    cells, count = [], 0
    for cell in notebook.cells:
        executed = cell.cell_type == "code" and cell.execution_count is not None and cell.source.strip()
        count += bool(executed)
        cells.append(_normal_cell(cell, count if executed else None))
    metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    return nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells})


def to_bytes(notebook: NotebookNode) -> bytes:
    """The notebook as the bytes of a file: keys sorted, one space of indentation, UTF-8."""
    return (nbformat.writes(notebook).rstrip("\n") + "\n").encode()


def _normal_cell(cell: NotebookNode, count: int | None) -> dict[str, Any]:
    """One cell in normal form; ``count`` is None for a cell that was not executed."""
    normal = {"cell_type": cell.cell_type, "id": cell.id, "source": cell.source.strip("\n").rstrip()}
    found = cell_info(cell)
    metadata: dict[str, Any] = {}
    if found:
        metadata["labkit"] = {key: found[key] for key in LABELS if key in found}
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
    """Schema 3 of nbgrader: answers are written, checks locked and graded, the setup read-only."""
    role = cell_info(cell).get("role")
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
        metadata["points"] = cell_info(cell).get("points", 0)
    return metadata


def _joined_streams(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    """The outputs with neighbouring pieces of the same stream made one."""
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
    """One output in normal form."""
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
    found = output.get("metadata", {}).items()
    alts = {
        mime: {"alt": extra["alt"]} for mime, extra in found if isinstance(extra, dict) and "alt" in extra
    }
    normal = {"output_type": kind, "data": output.data, "metadata": alts}
    return {**normal, "execution_count": count} if kind == "execute_result" else normal

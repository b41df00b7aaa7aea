"""Merge a newer release of a lab into the notebook that a student works in: three-way, cell by cell.

As in git, ``base`` is the lab as the student got it, ``local`` the student's notebook, and ``remote`` the
newer release. Nothing that a student wrote is lost, and merging again changes nothing. Leaves out: files
(:mod:`labkit.course.release.update`).
"""

from __future__ import annotations

import ast
import hashlib
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from labkit.course.notebook.structure import cell_info, cell_role, syntax_tree

__all__ = ["Merged", "merge"]

ANSWERS = frozenset({"todo", "predict", "answer", "reading"})  # cells that students write in
REQUIRED = ANSWERS | {"setup", "check"}  # restored if a student deleted them
KEPT = "Your version, kept when the lab was updated:"
Cells = dict[str, NotebookNode]  # by id


class Merged(NamedTuple):
    """The merged notebook, and one sentence about each cell that changed."""

    notebook: NotebookNode
    notes: list[str]


def merge(base: NotebookNode, local: NotebookNode, remote: NotebookNode) -> Merged:
    """Return the newer release with everything that the student wrote.

    Answers (todo, predict and answer cells) and cells that the student added stay as they are. A cell that
    the student did not edit gets the new version. Of any other cell that both sides changed, both versions
    are kept, the student's below the new one and marked. If the exercise of an answer changed, a note
    above the answer shows the new version.
    """
    base_cells, local_cells, remote_cells = _by_id(base), _by_id(local), _by_id(remote)
    notes: list[str] = []
    local_only = _local_only(base_cells, local, remote_cells, notes)
    cells = list(local_only.get("", []))
    for cell in remote.cells:
        cells += _merged(base_cells.get(cell.id), local_cells.get(cell.id), cell, notes)
        cells += local_only.get(cell.id, [])
    merged = nbformat.from_dict(remote)
    merged.cells = [nbformat.from_dict(cell) for cell in _with_unique_ids(cells)]
    return Merged(merged, notes)


def _by_id(notebook: NotebookNode) -> Cells:
    """Return the cells of a notebook by id."""
    return {cell.id: cell for cell in notebook.cells}


def _with_unique_ids(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Return the cells without repetitions; a different cell with a used id gets a new id.

    A cell that an earlier merge added is thus not added again, and no cell is lost.
    """
    unique: Cells = {}
    for cell in cells:
        cell_id = cell.id
        while cell_id in unique and not _same(unique[cell_id], cell):
            cell_id = f"{cell_id[:60]}-2"
        unique.setdefault(cell_id, nbformat.from_dict({**cell, "id": cell_id}))
    return list(unique.values())


def _local_only(
    base_cells: Cells, local: NotebookNode, remote_cells: Cells, notes: list[str]
) -> dict[str, list[NotebookNode]]:
    """Return the student's cells that the new release lacks, by the id of the cell that they follow."""
    cells: dict[str, list[NotebookNode]] = {}
    previous = ""
    for cell in local.cells:
        if cell.id in remote_cells:
            previous = cell.id
        elif cell.id not in base_cells:
            cells.setdefault(previous, []).append(cell)
        elif not _same(cell, base_cells[cell.id]):
            cells.setdefault(previous, []).append(_as_students_own(cell, cell.id))
            notes.append(f"{cell.id}: no longer in the lab; kept, since you edited it")
        else:
            notes.append(f"{cell.id}: removed")
    return cells


def _merged(
    base: NotebookNode | None, local: NotebookNode | None, remote: NotebookNode, notes: list[str]
) -> list[NotebookNode]:
    """Return the cells that take the place of one cell of the new release."""
    if local is None:
        return _missing(base, remote, notes)
    if _same(local, remote):
        return [_with_labels(local, remote)]
    if base is not None and _same(local, base):
        notes.append(f"{remote.id}: new version")
        return [remote]
    if local.cell_type != remote.cell_type:
        notes.append(f"{remote.id}: restored; your cell of another type is kept below it")
        return [remote, _marked_copy(local)]
    changed = base is None or not _same(base, remote)
    if cell_role(remote) in ANSWERS:
        answer = _with_labels(local, remote)
        if not changed:
            return [answer]
        change = _what_changed(base, remote)
        notes.append(f"{remote.id}: your answer is kept; {change}, see the note above it")
        return [_note(base, remote), answer]
    if not changed:
        return [_with_labels(local, remote)]
    notes.append(f"{remote.id}: new version; yours is kept below it")
    return [remote, _marked_copy(local)]


def _missing(base: NotebookNode | None, remote: NotebookNode, notes: list[str]) -> list[NotebookNode]:
    """Return a cell that the student's notebook lacks, unless the student deleted it for good."""
    if base is None:
        notes.append(f"{remote.id}: new")
        return [remote]
    if cell_role(remote) in REQUIRED or not _same(base, remote):
        notes.append(f"{remote.id}: restored")
        return [remote]
    return []


def _same(left: NotebookNode, right: NotebookNode) -> bool:
    """Return whether type, source and attachments are equal; outputs and metadata do not count."""
    contents = [
        (cell.cell_type, cell.source.rstrip(), cell.get("attachments") or {}) for cell in (left, right)
    ]
    return contents[0] == contents[1]


def _with_labels(local: NotebookNode, remote: NotebookNode) -> NotebookNode:
    """Return the student's cell with the labels of the new release."""
    return nbformat.from_dict({**local, "metadata": remote.metadata})


def _as_students_own(local: NotebookNode, cell_id: str) -> NotebookNode:
    """Return the student's cell as one that is neither graded nor locked."""
    role = "text" if local.cell_type == "markdown" else "run"
    metadata = {} if local.cell_type == "raw" else {"labkit": {"role": role}}
    return nbformat.from_dict({**local, "id": cell_id, "metadata": metadata})


def _marked_copy(local: NotebookNode) -> NotebookNode:
    """Return the student's cell with another id and a line that says whose it is."""
    copy = _as_students_own(local, _new_id(local.id, "yours", local.source))
    mark = f"# {KEPT}" if local.cell_type == "code" else f"*{KEPT}*\n"
    copy.source = f"{mark}\n{local.source}"
    return copy


def _note(base: NotebookNode | None, remote: NotebookNode) -> NotebookNode:
    """Return a cell that shows how an exercise changed that the student has already answered."""
    fence = "```python" if remote.cell_type == "code" else "```"
    text = f"**Update:** {_what_changed(base, remote)}. Your answer below is unchanged. The exercise now reads:\n\n"
    note = nbformat.v4.new_markdown_cell(f"{text}{fence}\n{remote.source}\n```")
    note.id, note.metadata["labkit"] = _new_id(remote.id, "update", remote.source), {"role": "text"}
    return note


def _new_id(cell_id: str, kind: str, source: str) -> str:
    """Return an id that depends on cell and text only, so a second merge adds nothing."""
    return f"{cell_id[:40]}-{kind}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def _what_changed(base: NotebookNode | None, remote: NotebookNode) -> str:
    """Return in words what the new release changed in an answered exercise."""
    exercise = cell_info(remote).exercise or remote.id
    if base is not None and _signatures(base.source) != _signatures(remote.source):
        return f"the signature of {exercise} has changed"
    return f"the wording of {exercise} has changed"


def _signatures(source: str) -> list[str]:
    """Return name, arguments and return type of every function; the text itself if it is not Python."""
    tree = syntax_tree(source)
    if tree is None:
        return [source]
    return [
        f"{node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns) if node.returns else ''}"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

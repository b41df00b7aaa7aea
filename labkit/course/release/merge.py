"""Merge a newer release of a lab into a notebook a student has worked in: three-way, cell by cell.

``base`` is the lab as the student got it, ``theirs`` what became of it, ``new`` the newer release.
Nothing that a student wrote is dropped. Merging again changes nothing. Leaves out: files
(:mod:`labkit.course.release.update`).
"""

from __future__ import annotations

import ast
import hashlib
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from labkit.course.notebook.structure import cell_info, syntax_tree

__all__ = ["ANSWERS", "Merged", "merge"]

ANSWERS = frozenset({"todo", "predict", "answer"})  # a student writes in these
NEEDED = ANSWERS | {"setup", "check"}  # put back where a student deleted them
KEPT = "Your version, kept when the lab was updated:"
Cells = dict[str, NotebookNode]


class Merged(NamedTuple):
    """The merged notebook, and what was done to it, a sentence a cell."""

    notebook: NotebookNode
    notes: list[str]


def merge(base: NotebookNode, theirs: NotebookNode, new: NotebookNode) -> Merged:
    """The newer release with everything the student wrote.

    Answers (todo, predict, answer cells) and cells the student added stay as they are. A cell that
    the student did not edit takes the new version. Of any other cell that both changed, both are
    kept, the student's copy marked and below. Beside an answer whose exercise changed stands a
    note with the new version.
    """
    bases, mine, news = _by_id(base), _by_id(theirs), _by_id(new)
    notes: list[str] = []
    extras = _extras(bases, theirs, news, notes)
    cells = list(extras.get("", []))
    for cell in new.cells:
        cells += _merged(bases.get(cell.id), mine.get(cell.id), cell, notes)
        cells += extras.get(cell.id, [])
    merged = nbformat.from_dict(new)
    merged.cells = [nbformat.from_dict(cell) for cell in _once(cells)]
    return Merged(merged, notes)


def _by_id(notebook: NotebookNode) -> Cells:
    return {cell.id: cell for cell in notebook.cells}


def _once(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells, each id once: what an earlier merge added is not added again, but nothing goes."""
    found: Cells = {}
    for cell in cells:
        name = cell.id
        while name in found and not _same(found[name], cell):
            name = f"{name[:60]}-2"
        found.setdefault(name, nbformat.from_dict({**cell, "id": name}))
    return list(found.values())


def _extras(
    bases: Cells, theirs: NotebookNode, news: Cells, notes: list[str]
) -> dict[str, list[NotebookNode]]:
    """The student's cells that the new release lacks, by the id of the cell they stand after."""
    found: dict[str, list[NotebookNode]] = {}
    after = ""
    for cell in theirs.cells:
        if cell.id in news:
            after = cell.id
        elif cell.id not in bases:
            found.setdefault(after, []).append(cell)
        elif not _same(cell, bases[cell.id]):
            found.setdefault(after, []).append(_own(cell, cell.id))
            notes.append(f"{cell.id}: no longer in the lab; kept, since you edited it")
        else:
            notes.append(f"{cell.id}: removed")
    return found


def _merged(
    base: NotebookNode | None, mine: NotebookNode | None, new: NotebookNode, notes: list[str]
) -> list[NotebookNode]:
    """What stands in the place of one cell of the new release."""
    if mine is None:
        return _missing(base, new, notes)
    if _same(mine, new):
        return [_with_content(new, mine)]
    if base is not None and _same(mine, base):
        notes.append(f"{new.id}: new version")
        return [new]
    if mine.cell_type != new.cell_type:
        notes.append(f"{new.id}: restored; your cell of another type is kept below it")
        return [new, _copy(mine)]
    changed = base is None or not _same(base, new)
    if cell_info(new).get("role") in ANSWERS:
        kept = _with_content(new, mine)
        if not changed:
            return [kept]
        notes.append(f"{new.id}: your answer is kept; {_what_changed(base, new)}, see the note above it")
        return [_note(base, new), kept]
    if not changed:
        return [_with_content(new, mine)]
    notes.append(f"{new.id}: new version; yours is kept below it")
    return [new, _copy(mine)]


def _missing(base: NotebookNode | None, new: NotebookNode, notes: list[str]) -> list[NotebookNode]:
    """A cell that the student's notebook lacks: new, or deleted."""
    if base is None:
        notes.append(f"{new.id}: new")
        return [new]
    if cell_info(new).get("role") in NEEDED or not _same(base, new):
        notes.append(f"{new.id}: put back")
        return [new]
    return []  # deleted by the student, and the same as ever


def _same(left: NotebookNode, right: NotebookNode) -> bool:
    """Whether two cells say the same; outputs and metadata do not count."""
    parts = (
        (cell.cell_type, cell.source.rstrip(), cell.get("attachments") or {}) for cell in (left, right)
    )
    return next(parts) == next(parts)


def _with_content(new: NotebookNode, mine: NotebookNode) -> NotebookNode:
    """The student's cell, labelled as the new release labels it."""
    return nbformat.from_dict({**mine, "metadata": new.metadata})


def _own(mine: NotebookNode, name: str) -> NotebookNode:
    """The student's cell as a cell of their own, which nothing grades or locks."""
    role = "text" if mine.cell_type == "markdown" else "run"
    metadata = {} if mine.cell_type == "raw" else {"labkit": {"role": role}}
    return nbformat.from_dict({**mine, "id": name, "metadata": metadata})


def _copy(mine: NotebookNode) -> NotebookNode:
    """The student's cell under another id, marked."""
    copy = _own(mine, _name(mine.id, "yours", mine.source))
    mark = f"# {KEPT}" if mine.cell_type == "code" else f"*{KEPT}*\n"
    copy.source = f"{mark}\n{mine.source}"
    return copy


def _note(base: NotebookNode | None, new: NotebookNode) -> NotebookNode:
    """A cell that tells what an exercise, already answered, has become."""
    fence = "```python" if new.cell_type == "code" else "```"
    text = f"**Update:** {_what_changed(base, new)}. Your answer below is unchanged. It now reads:\n\n"
    note = nbformat.v4.new_markdown_cell(f"{text}{fence}\n{new.source}\n```")
    note.id, note.metadata["labkit"] = _name(new.id, "update", new.source), {"role": "text"}
    return note


def _name(cell_id: str, kind: str, source: str) -> str:
    """An id that is the same for the same cell and text, so that a second merge adds nothing."""
    return f"{cell_id[:40]}-{kind}-{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def _what_changed(base: NotebookNode | None, new: NotebookNode) -> str:
    """What the new release changed about an answered exercise, in words."""
    exercise = cell_info(new).get("id", new.id)
    if base is not None and _signatures(base.source) != _signatures(new.source):
        return f"the signature of {exercise} has changed"
    return f"the wording of {exercise} has changed"


def _signatures(source: str) -> list[str]:
    """Name, arguments and return type of every function in ``source``; the text itself if it is no code."""
    tree = syntax_tree(source)
    if tree is None:
        return [source]
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    returns = [ast.unparse(node.returns) if node.returns else "" for node in functions]
    return [
        f"{node.name}({ast.unparse(node.args)}) -> {kind}"
        for node, kind in zip(functions, returns, strict=True)
    ]

"""Put an exercise or a whole lab back as it was released; what the student had is kept in a backup.

The pristine copies in ``.labkit/release/labs`` say how it was released.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from labkit.course.notebook import structure
from labkit.course.notebook.cell_ids import restore_ids
from labkit.course.notebook.normal_form import to_bytes
from labkit.course.notebook.paths import find_labs
from labkit.course.notebook.structure import EXERCISE_ROLES, cell_info, cell_role
from labkit.course.release.backup import back_up
from labkit.course.release.folder import PRISTINE, read_hashes
from labkit.course.release.strip import is_started
from labkit.files import write_atomically

__all__ = ["Reset", "answered", "released_lab", "reset_exercise", "reset_lab"]


class Reset(NamedTuple):
    """The notebook that was reset, and where what the student had is kept; None if nothing changed."""

    notebook: Path
    backup: Path | None


def released_lab(home: Path, name: str) -> Path:
    """Return the notebook in the student's folder ``home`` that ``name`` refers to; it may be missing.

    Raises:
        ValueError: if the folder is not a release, or has no such lab.
    """
    if read_hashes(home) is None:  # in particular, never blank the one source with solutions
        raise ValueError(
            f"{home} is not a released folder; labkit reset works in the folder that students get."
        )
    (pristine,) = find_labs([name], sorted((home / PRISTINE).glob("*.ipynb")))
    return home / "labs" / pristine.name


def reset_exercise(home: Path, lab: Path, exercise: str) -> Reset:
    """Put the cells of one exercise back as they were released; the other cells stay.

    Its TODO cell, its check and its written answer are put back, also where they were deleted. The
    backup holds the whole notebook, and each changed answer as a text file of its own.

    Args:
        home: the student's folder.
        lab: a notebook in it, as :func:`released_lab` returns it.
        exercise: such as ``02.3``.

    Raises:
        ValueError: if the lab has no such exercise, or a notebook cannot be read; nothing is changed.
        OSError: if a file cannot be written; the notebook is not changed.
    """
    pristine = structure.read_notebook(home / PRISTINE / lab.name)
    released = {
        cell.id: cell
        for cell in pristine.cells
        if cell_role(cell) in EXERCISE_ROLES and cell_info(cell).exercise == exercise
    }
    if not released:
        names = ", ".join(structure.exercises(pristine))
        raise ValueError(f"{lab.name} has no exercise {exercise}; there are {names}.")
    try:
        notebook = restore_ids(structure.read_notebook(lab, repair=True), pristine)
    except ValueError as error:
        number = lab.name.partition("_")[0]
        raise ValueError(f"{error} Or put the whole lab back: labkit reset {number} --yes") from error
    changed = [cell for cell in notebook.cells if cell.id in released and _differ(cell, released[cell.id])]
    missing = released.keys() - {cell.id for cell in notebook.cells}
    if not changed and not missing:
        return Reset(lab, None)
    answers = {
        f"{cell.id}.{'py' if cell.cell_type == 'code' else 'md'}": cell.source.encode(
            "utf-8", "backslashreplace"
        )
        for cell in changed
        if cell.source.strip()
    }
    notebook.cells = [nbformat.from_dict(released.get(cell.id, cell)) for cell in notebook.cells]
    for cell in pristine.cells:
        if cell.id in missing:
            _insert(notebook, pristine, cell)
    backup = back_up(home, {f"labs/{lab.name}": lab.read_bytes(), **answers})
    write_atomically(lab, to_bytes(notebook))
    return Reset(lab, backup)


def reset_lab(home: Path, lab: Path) -> Reset:
    """Put a whole notebook back as it was released; the backup holds the student's, whatever is in it.

    Raises:
        OSError: if a file cannot be written; the notebook is not changed.
    """
    pristine = (home / PRISTINE / lab.name).read_bytes()
    if lab.is_file() and lab.read_bytes() == pristine:
        return Reset(lab, None)
    backup = back_up(home, {f"labs/{lab.name}": lab.read_bytes() if lab.is_file() else None})
    write_atomically(lab, pristine)
    return Reset(lab, backup)


def answered(lab: Path) -> list[str]:
    """Return the exercises of a notebook that have been started; none if it cannot be read."""
    try:
        cells = structure.read_notebook(lab, repair=True).cells
    except (ValueError, OSError):
        return []
    started = (cell for cell in cells if cell_role(cell) in ("todo", "answer") and is_started(cell))
    return list(dict.fromkeys(cell_info(cell).exercise or cell.id for cell in started))


def _insert(notebook: NotebookNode, pristine: NotebookNode, cell: NotebookNode) -> None:
    """Put a cell of the release in place: after the nearest cell before it that the notebook still has."""
    order = [other.id for other in pristine.cells]
    places = {other.id: place for place, other in enumerate(notebook.cells)}
    before = reversed(order[: order.index(cell.id)])
    after = next((places[name] + 1 for name in before if name in places), 0)
    notebook.cells.insert(after, nbformat.from_dict(cell))


def _differ(cell: NotebookNode, released: NotebookNode) -> bool:
    """Return whether a student changed a cell's source or its type."""
    return bool((cell.cell_type, cell.source.rstrip()) != (released.cell_type, released.source.rstrip()))

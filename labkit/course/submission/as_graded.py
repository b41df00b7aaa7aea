"""A student's notebook as grading sees it: the lab's own cells with the student's answers in them."""

from __future__ import annotations

from pathlib import Path

from nbformat import NotebookNode

from labkit.course.notebook import structure
from labkit.course.release.folder import PRISTINE
from labkit.course.submission.answers import collect_answers, insert_answers

__all__ = ["as_graded", "pristine"]


def pristine(path: Path) -> Path:
    """Return where a release keeps the original of the notebook ``labs/NN_slug.ipynb``."""
    return path.parent.parent / PRISTINE / path.name


def as_graded(path: Path) -> NotebookNode:
    """Return what grading runs of the notebook at ``path``; it is not changed.

    An answer counts wherever grading finds it: also in a cell of another type, or one that was typed
    again. Setup and checks are the lab's own. Outside a release there is no original to compare with,
    and the notebook is returned as it is.

    Raises:
        ValueError: if the file is not a notebook.
    """
    notebook = structure.read_notebook(path, repair=True)
    if not pristine(path).is_file():
        return notebook
    lab = structure.read_notebook(pristine(path), repair=True)
    return insert_answers(lab, collect_answers(path.read_bytes(), lab))

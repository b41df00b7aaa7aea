"""Write what was graded as notebooks, so an instructor can open it and reproduce a mark by hand.

Such a notebook holds hidden cells with what was recorded of them: it is not for students.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.course.grading.results import GradedLab, student_file_name
from labkit.course.notebook import structure
from labkit.course.notebook.normal_form import to_bytes
from labkit.course.notebook.structure import cell_role
from labkit.course.submission.answers import Answers, insert_answers
from labkit.files import write_atomically

__all__ = ["merged_notebook", "write_notebooks"]

GRADED_CELLS = ("text", "setup", "todo", "check", "hidden", "answer")
ANSWERS = ("todo", "answer")
WARNING = """**{student}, {lab}: what was graded.** The answers are the student's; setup, checks, hidden cells and \
recorded outputs are the lab's. Do not give this notebook away, since it holds what the hidden cells expect. To run \
it runs the student's code **without a sandbox**."""


def merged_notebook(source: NotebookNode, result: GradedLab) -> NotebookNode:
    """Return the lab with the student's answers in place of the solutions, as recorded otherwise.

    Experiments, predictions and claims are left out, since grading does not run them. An answer that was
    not found is as it was released.

    Args:
        source: the lab with solutions, as recorded.
        result: the student's.
    """
    answers = Answers(sources=dict(result.sources), attachments=dict(result.attachments))
    answered = {cell.id: cell for cell in insert_answers(source, answers).cells}
    merged = nbformat.from_dict(source)
    warning = nbformat.v4.new_markdown_cell(
        WARNING.format(student=result.student, lab=result.lab),
        id="graded",
        metadata={"labkit": {"role": "text"}},
    )
    merged.cells = [warning]
    for cell in source.cells:
        if cell_role(cell) in GRADED_CELLS:
            copied = nbformat.from_dict(cell)
            if cell_role(cell) in ANSWERS:
                copied = nbformat.from_dict(answered[cell.id])
                copied.metadata = cell.metadata
            if cell_role(cell) == "todo":
                copied.execution_count = cell.execution_count  # nbval refuses a cell that was never run
            merged.cells.append(copied)
    return merged


def write_notebooks(out: Path, labs: Sequence[Path], results: Sequence[GradedLab]) -> Path:
    """Write one notebook per result of these labs to ``out/notebooks``, and return that folder.

    Raises:
        OSError: if one cannot be written.
    """
    for path in labs:
        source = structure.read_lab(path)
        for result in results:
            if result.lab == path.stem:
                target = out / "notebooks" / student_file_name(result.student) / path.name
                write_atomically(target, to_bytes(merged_notebook(source, result)))
    return out / "notebooks"

"""One feedback page: a student's notebook with the marks, or the marks alone.

The notebook is made from the released lab, so it has no hidden cell and no expected value to show. Below
what the student wrote about a run stands what the author wrote.
The Jinja template and its CSS are in ``reports/templates/labkit``.
"""

from __future__ import annotations

from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from labkit.course.grading.results import GradedLab
from labkit.course.grading.scoring import coding_exercises, written_questions
from labkit.course.notebook.structure import cell_role, question
from labkit.course.reports.page import Page, plain_text
from labkit.course.reports.site import html_exporter
from labkit.course.submission.answers import Answers, insert_answers

__all__ = ["answers_page", "marks_page"]

PRIORITY = ("text/html", "text/plain")


class _Head(NamedTuple):
    """What the template of a lab's page asks about the lab."""

    title: str
    reason: str = ""


def answers_page(source: NotebookNode, result: GradedLab) -> str:
    """Return the page with the student's cells, each mark below the cell that earned it.

    Raises:
        Exception: of many types, from the libraries that render; what a student wrote can also exhaust
            memory or end the process, so :class:`labkit.course.grading.page_renderer.PageRenderer` calls
            this in a process of its own.
    """
    answers = Answers(dict(result.sources), attachments=dict(result.attachments))
    notebook = insert_answers(source, answers)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    return _render(notebook, source, result, _question_cells(source))


def marks_page(source: NotebookNode, result: GradedLab, problem: str) -> str:
    """Return the page with the marks and without any cell; ``problem`` says why."""
    return _render(nbformat.v4.new_notebook(), source, result, {}, problem)


def _render(
    notebook: NotebookNode,
    source: NotebookNode,
    result: GradedLab,
    questions: dict[str, str],
    problem: str = "",
) -> str:
    """Return a page that shows the cells of ``notebook``."""
    title = next((cell.source for cell in source.cells if cell.cell_type == "markdown"), result.lab)
    variables = {
        "lab": _Head(plain_text(title.splitlines()[0].lstrip("# "))),
        "page": Page(None),
        "problem": problem,
        "result": result,
        "questions": questions,
        "shown": set(questions.values()),
        "authors": _authors_readings(source),
    }
    html, _ = html_exporter("feedback.html.j2", PRIORITY).from_notebook_node(notebook, resources=variables)
    return str(html)


def _question_cells(source: NotebookNode) -> dict[str, str]:
    """The question whose mark is shown below a cell, by the cell's id."""
    cells = {exercise.check.id: name for name, exercise in coding_exercises(source).items()}
    return cells | {cell.id: name for name, cell in written_questions(source).items()}


def _authors_readings(source: NotebookNode) -> dict[str, NotebookNode]:
    """What the author wrote below the question of each reading, by the cell's id."""
    readings = {}
    for cell in source.cells:
        if cell_role(cell) == "reading":
            text = cell.source.strip().removeprefix(question(cell.source)).strip()
            readings[cell.id] = nbformat.from_dict({**cell, "source": text})
    return readings

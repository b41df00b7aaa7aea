"""Written answers of a class, question by question: a page to read, and a table of marks to fill in.

Whoever marks one question reads all answers to it one after the other, beside the model answer and its
marking line. What students wrote is shown as plain text, so nothing in it can act on the page; pictures
and formulas are on the feedback page, to which each answer links.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from labkit.course.grading.gradebook import csv_bytes, find_mark, row_name
from labkit.course.grading.results import GradedLab, Mark, student_file_name
from labkit.course.grading.scoring import written_questions
from labkit.course.grading.spreadsheet import read_rows
from labkit.course.notebook.lab_id import LabId
from labkit.course.notebook.structure import question
from labkit.course.reports.page import Page
from labkit.course.reports.site import html_exporter
from labkit.files import write_atomically

__all__ = ["FOLDER", "MARKS", "write_answer_sheets"]

FOLDER = "answers"
MARKS = f"{FOLDER}/marks.csv"
COLUMNS = ("student", "lab", "question", "points", "max", "reason")


class _Answer(NamedTuple):
    """One student's answer; ``page`` is the address of the feedback page at this question."""

    student: str
    mark: Mark
    text: str
    pictures: int
    page: str


def write_answer_sheets(
    out: Path, sources: Mapping[LabId, NotebookNode], results: Sequence[GradedLab]
) -> Path:
    """Write ``answers/LAB-QUESTION.html`` for every written question, and ``answers/marks.csv``.

    The table has one row per student and question. Points and reasons that were filled in before are
    kept; a row whose answer is gone stays, so nothing that was typed is lost.

    Args:
        out: the folder that holds the results.
        sources: labs with solutions, as recorded.
        results: with the marks given so far.

    Returns:
        The path of the table.

    Raises:
        ValueError: if an existing table is not one, or marks the same question twice.
        OSError: if a file cannot be written.
    """
    table = out / MARKS
    filled = _filled(table, results) if table.is_file() else {}
    rows: list[Sequence[object]] = [COLUMNS]
    for lab, source in sources.items():
        for name, cell in written_questions(source).items():
            answers = list(_answers(lab, name, cell, results))
            if answers:
                page = out / FOLDER / f"{lab.number}-{name.replace(' ', '-')}.html"
                write_atomically(page, _page(lab, name, cell, answers).encode("utf-8", "backslashreplace"))
            for answer in answers:
                key = (answer.student, str(lab.number), name)
                points, reason = filled.pop(key, ("", ""))
                rows.append([*key, points, f"{answer.mark.max:g}", reason])
    rows += [[*key, points, "", reason] for key, (points, reason) in filled.items() if points or reason]
    write_atomically(table, csv_bytes(rows))
    return table


def _filled(table: Path, results: Sequence[GradedLab]) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return points and reason by student, lab and question."""
    filled: dict[tuple[str, str, str], tuple[str, str]] = {}
    for row in read_rows(table, COLUMNS[:4]):
        key = (row.cells["student"], row.cells["lab"], row.cells["question"])
        with contextlib.suppress(ValueError):  # an answer that is gone
            result, mark = find_mark(results, row.cells)
            key = (result.student, result.lab.number, row_name(mark))
        if key in filled:
            raise ValueError(
                f"{table}, line {row.line}: {key[2]} of {key[0]!r} is there twice; remove one row."
            )
        filled[key] = (row.cells.get("points", ""), row.cells.get("reason", ""))
    return filled


def _answers(lab: LabId, name: str, cell: NotebookNode, results: Sequence[GradedLab]) -> Iterator[_Answer]:
    """Yield the answers to a question that a person marks, by student."""
    for result in sorted(results, key=lambda result: result.student):
        mark = next((mark for mark in result.marks if mark.question == name), None)
        if result.lab != lab or mark is None or mark.status not in ("to mark", "marked"):
            continue
        text = result.sources.get(cell.id, "").strip()
        page = f"../feedback/{student_file_name(result.student)}/{lab}.html#q-{name.replace(' ', '-')}"
        pictures = len(result.attachments.get(cell.id, {}))
        text = text.removeprefix(question(cell.source)).strip()
        yield _Answer(result.student, mark, text, pictures, page)


def _page(lab: LabId, name: str, cell: NotebookNode, answers: Sequence[_Answer]) -> str:
    """Return the page of one question."""
    template = html_exporter("answers.html.j2").environment.get_template("answers.html.j2")
    return str(
        template.render(
            title=f"Lab {lab.number}, question {name}",
            question=Page(None).markdown(cell),
            points=answers[0].mark.max,
            answers=answers,
        )
    )

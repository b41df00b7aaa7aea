"""Write feedback pages: one page per student and lab, and an overview of the class.

The pages are self-contained. Leaves out: what a student's page shows
(:mod:`labkit.course.grading.feedback_page`) and the limits of rendering it
(:mod:`labkit.course.grading.page_renderer`).
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat import NotebookNode

from labkit.course.grading.feedback_page import marks_page
from labkit.course.grading.gradebook import by_student, max_points
from labkit.course.grading.page_renderer import PageLimits, PageRenderer, RenderError
from labkit.course.grading.results import GradedLab, Mark, student_file_name
from labkit.course.grading.sandbox.box import UNPROTECTED
from labkit.course.notebook import structure
from labkit.course.notebook.lab_id import LabId
from labkit.course.reports.site import html_exporter
from labkit.files import write_atomically

__all__ = ["FeedbackPages", "write_class_page", "write_feedback"]

BINS = 10
BAR_REM = 20.0
STAMP = "<!-- {} -->"  # a hash of everything that a page was made of


class FeedbackPages(NamedTuple):
    """The pages that were written, by student and lab, and what failed to render."""

    paths: dict[tuple[str, str], str]
    errors: dict[tuple[str, str], str]


class _LabCell(NamedTuple):
    """One student's points in one lab; ``points`` is None where there is no result."""

    lab: LabId
    points: float | None
    page: str


class _StudentRow(NamedTuple):
    """One student's row of the class page."""

    student: str
    labs: list[_LabCell]
    points: float
    percent: float
    warnings: list[str]


class _Bar(NamedTuple):
    """One bar of the distribution of scores."""

    label: str
    students: int
    width: float


class _QuestionShare(NamedTuple):
    """The share of a question's points that the class earned; ``percent`` is None until all are marked."""

    name: str
    percent: float | None
    to_mark: int


def write_feedback(
    out: Path, labs: Sequence[Path], results: Sequence[GradedLab], limits: PageLimits | None = None
) -> FeedbackPages:
    """Write ``feedback/<student>/<lab>.html`` for every result.

    A page that is up to date is not written again. Where a student's cells cannot be rendered within
    the limits, the page shows the marks without them, and the error is returned; the other pages are
    not affected.

    Args:
        out: the folder that holds the results.
        labs: labs with solutions, as recorded; one without results is not read. Results of a lab
            that is not among them get no page.
        results: with manual marks and late penalties.
        limits: of rendering one page.

    Raises:
        ValueError: if a lab is not well formed.
        OSError: if a page cannot be written.
    """
    graded = {result.lab for result in results}
    sources = {LabId(lab.stem): structure.read_lab(lab) for lab in labs if lab.stem in graded}
    pages = FeedbackPages({}, {})
    with PageRenderer(limits) as renderer:
        for result in results:
            source = sources.get(result.lab)
            if source is not None:
                page = f"feedback/{student_file_name(result.student)}/{result.lab}.html"
                pages.paths[result.student, result.lab] = page
                error = _write_page(renderer, out / page, source, result)
                if error is not None:
                    pages.errors[result.student, result.lab] = error
    return pages


def write_class_page(out: Path, results: Sequence[GradedLab], paths: Mapping[tuple[str, str], str]) -> Path:
    """Write ``index.html``, the overview of the class, with links to the pages at ``paths``.

    Raises:
        ValueError: if there are no results.
        OSError: if it cannot be written.
    """
    if not results:
        raise ValueError("there are no results to show; grade at least one student and lab.")
    template = html_exporter("class.html.j2").environment.get_template("class.html.j2")
    html = template.render(**_class(results, paths))
    write_atomically(out / "index.html", html.encode("utf-8", "backslashreplace"))
    return out / "index.html"


def _write_page(renderer: PageRenderer, path: Path, source: NotebookNode, result: GradedLab) -> str | None:
    """Render a student's page unless the existing one was made of the same; return what failed."""
    made_of = repr((result, nbformat.writes(source)))
    stamp = STAMP.format(hashlib.sha256(made_of.encode("utf-8", "replace")).hexdigest()).encode()
    if path.is_file() and path.read_bytes().endswith(stamp):
        return None
    try:
        write_atomically(path, renderer.render(source, result) + stamp)
    except RenderError as problem:
        page = marks_page(source, result, str(problem))
        write_atomically(path, page.encode("utf-8", "backslashreplace"))
        return str(problem)
    return None


def _class(results: Sequence[GradedLab], pages: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """The variables of the class page's template."""
    labs = sorted({result.lab for result in results})
    most = max_points(results)
    rows = [
        _student_row(student, graded, labs, pages, most) for student, graded in by_student(results).items()
    ]
    percents = [row.percent for row in rows]
    return {
        "rows": rows,
        "labs": labs,
        "median": statistics.median(percents),
        "with_warnings": sum(bool(row.warnings) for row in rows),
        "to_mark": sum(result.to_mark for result in results),
        "unprotected": UNPROTECTED if any(result.sandbox == "none" for result in results) else "",
        "bars": _bars(percents),
        "questions": _question_shares(results),
    }


def _student_row(
    student: str,
    graded: Mapping[str, GradedLab],
    labs: Sequence[LabId],
    pages: Mapping[tuple[str, str], str],
    most: float,
) -> _StudentRow:
    """One student's row; a lab without a result was graded before the student submitted."""
    points = round(sum(result.earned for result in graded.values()), 2)
    return _StudentRow(
        student,
        [
            _LabCell(lab, graded[lab].earned if lab in graded else None, pages.get((student, lab), ""))
            for lab in labs
        ],
        points,
        100 * points / most if most else 0.0,
        [f"{result.lab.number}: {warning}" for result in graded.values() for warning in result.attention],
    )


def _bars(percents: Sequence[float]) -> list[_Bar]:
    """The distribution of scores in tenths; the last includes 100 %."""
    counts = [0] * BINS
    for percent in percents:
        counts[min(BINS - 1, max(0, int(percent * BINS / 100)))] += 1
    scale = BAR_REM / max(counts)
    step = 100 // BINS
    return [
        _Bar(f"{step * index}–{step * (index + 1)}", count, scale * count)
        for index, count in enumerate(counts)
    ]


def _question_shares(results: Sequence[GradedLab]) -> list[_QuestionShare]:
    """The share of points earned by question, the hardest first, then the questions that are not marked yet.

    A question with an answer to mark has no share: those who left it empty would make it look hard.
    """
    marks: dict[str, list[Mark]] = {}
    for result in results:
        for mark in result.marks:
            if mark.max:
                marks.setdefault(mark.question, []).append(mark)
    shares = [_question_share(name, of_question) for name, of_question in marks.items()]
    return sorted(shares, key=lambda share: (share.to_mark > 0, share.percent or 0.0, share.name))


def _question_share(name: str, marks: Sequence[Mark]) -> _QuestionShare:
    to_mark = sum(mark.status == "to mark" for mark in marks)
    percent = 100 * statistics.fmean(mark.earned / mark.max for mark in marks)
    return _QuestionShare(name, None if to_mark else percent, to_mark)

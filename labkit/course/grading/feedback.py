"""Pages from results: a page a student and lab, and one for the class. They load nothing.

A student's page is made from the released lab, so that it has no hidden cell and no expected value
to show. Leaves out: how pages look (Jinja and CSS in ``templates/labkit``).
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from traitlets.config import Config

from labkit.course.grading.gradebook import flags, total
from labkit.course.grading.job import Result
from labkit.course.grading.sandbox.box import UNPROTECTED
from labkit.course.grading.scoring import coded, written
from labkit.course.notebook import structure
from labkit.course.notebook.structure import cell_role as role
from labkit.course.reports.page import Page, plain_text
from labkit.course.reports.site import TEMPLATES
from labkit.course.submission.answers import Answers, rebuild
from labkit.files import write_atomically

__all__ = ["write_pages"]

BINS = 10
BAR_REM = 20.0
STAMP = "<!-- {} -->"  # what a page was made of


class _Head(NamedTuple):
    """What the template of a lab's page asks about the lab."""

    title: str
    reason: str = ""


def write_pages(out: Path, labs: Sequence[Path], results: Sequence[Result]) -> Path:
    """Write ``feedback/<student>/<lab>.html`` for every result, and ``index.html`` for the class.

    A page that is up to date is not made again.

    Args:
        out: the folder that holds the results.
        labs: labs with solutions, as recorded; one without results is not read, and results of a lab
            that is not among them get no page, but count.
        results: with manual marks and lateness.

    Returns:
        The page of the class.

    Raises:
        ValueError: if there is no result.
        OSError: if a page cannot be written.
    """
    if not results:
        raise ValueError("nothing was graded, so that there is nothing to show.")
    graded = {result["lab"] for result in results}
    references = {lab.stem: structure.read_lab(lab) for lab in labs if lab.stem in graded}
    pages: dict[tuple[str, str], str] = {}
    for result in results:
        reference = references.get(result["lab"])
        if reference is not None:
            place = f"feedback/{_folder(result['student'])}/{result['lab']}.html"
            pages[result["student"], result["lab"]] = place
            _write_feedback(out / place, reference, result)
    index = _exporter("class.html.j2").environment.get_template("class.html.j2")
    write_atomically(out / "index.html", index.render(**_class(results, pages)).encode())
    return out / "index.html"


def _write_feedback(path: Path, reference: NotebookNode, result: Result) -> None:
    """Render a student's page unless the one there was made of the same."""
    made_of = [result["marks"], result["sources"], result["oddities"], nbformat.writes(reference)]
    stamp = STAMP.format(hashlib.sha256(repr(made_of).encode()).hexdigest())
    if path.is_file() and path.read_text(encoding="utf-8").endswith(stamp):
        return
    write_atomically(path, (_feedback(reference, result) + stamp).encode())


def _feedback(reference: NotebookNode, result: Result) -> str:
    """A student's page."""
    answers = Answers(result["sources"], attachments=result["attachments"])
    notebook = rebuild(reference, answers)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    questions = _places(reference)
    marks = result["marks"]
    title = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), result["lab"])
    exporter = _exporter("feedback.html.j2")
    exporter.environment.globals.update(
        lab=_Head(plain_text(title.splitlines()[0].lstrip("# "))),
        page=Page(Path()),
        role=role,
        student=result["student"],
        marks=marks,
        questions=questions,
        shown=set(questions.values()),
        total=total(result),
        most=sum(mark["max"] for mark in marks),
        waiting=sum(mark["status"] == "to mark" for mark in marks),
        oddities=result["oddities"],
    )
    html, _ = exporter.from_notebook_node(notebook)
    return str(html)


def _places(reference: NotebookNode) -> dict[str, str]:
    """The question whose mark stands below a cell, by the cell's id."""
    places = {exercise.check.id: name for name, exercise in coded(reference).items()}
    return places | {cell.id: name for name, cell in written(reference).items()}


def _exporter(template: str) -> HTMLExporter:
    """nbconvert with a template of the project."""
    return HTMLExporter(
        config=Config({"NbConvertBase": {"display_data_priority": ["text/html", "text/plain"]}}),
        template_name="labkit",
        template_file=template,
        extra_template_basedirs=[str(TEMPLATES)],
    )


def _class(results: Sequence[Result], pages: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """What the class page shows."""
    labs = sorted({result["lab"] for result in results})
    most = sum(sum(mark["max"] for mark in _first_of(results, lab)["marks"]) for lab in labs)
    students: dict[str, dict[str, Result]] = {}
    for result in sorted(results, key=lambda each: (each["student"], each["lab"])):
        students.setdefault(result["student"], {})[result["lab"]] = result
    rows = [_row(student, own, labs, pages, most) for student, own in students.items()]
    percents = [row["percent"] for row in rows]
    open_marks = sum(mark["status"] == "to mark" for result in results for mark in result["marks"])
    return {
        "rows": rows,
        "labs": labs,
        "median": statistics.median(percents),
        "flagged": sum(bool(row["flags"]) for row in rows),
        "waiting": open_marks,
        "warning": UNPROTECTED if any(result["sandbox"] == "none" for result in results) else "",
        "bins": _bins(percents),
        "questions": _questions(results),
    }


def _row(
    student: str,
    own: Mapping[str, Result],
    labs: Sequence[str],
    pages: Mapping[tuple[str, str], str],
    most: float,
) -> dict[str, Any]:
    """A student's line."""
    points = round(sum(map(total, own.values())), 2)
    cells = [
        {
            "lab": lab,
            "points": total(own[lab]) if lab in own else None,  # came after the lab was graded
            "page": pages.get((student, lab), ""),
        }
        for lab in labs
    ]
    return {
        "student": student,
        "labs": cells,
        "points": points,
        "percent": 100 * points / most if most else 0.0,
        "flags": [f"{lab[:2]}: {flag}" for lab in own for flag in flags(own[lab])],
    }


def _bins(percents: Sequence[float]) -> list[dict[str, Any]]:
    """The distribution in tenths, the last with 100 %."""
    counts = [0] * BINS
    for percent in percents:
        counts[min(BINS - 1, max(0, int(percent * BINS / 100)))] += 1
    scale = BAR_REM / max(counts)
    step = 100 // BINS
    return [
        {"label": f"{step * place}–{step * (place + 1)}", "count": count, "width": scale * count}
        for place, count in enumerate(counts)
    ]


def _questions(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The share of points earned by question, least first."""
    earned: dict[str, list[float]] = {}
    for result in results:
        for mark in result["marks"]:
            if mark["status"] not in ("to mark", "late") and mark["max"]:
                earned.setdefault(mark["question"], []).append(100 * mark["earned"] / mark["max"])
    shares = [{"name": name, "percent": statistics.fmean(values)} for name, values in earned.items()]
    return sorted(shares, key=lambda share: (share["percent"], share["name"]))


def _first_of(results: Sequence[Result], lab: str) -> Result:
    return next(result for result in results if result["lab"] == lab)


def _folder(student: str) -> str:
    """A folder's name for a student; the hash keeps apart what looks alike."""
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "_" for char in student)
    return f"{safe[:60]}-{hashlib.sha256(student.encode()).hexdigest()[:8]}"

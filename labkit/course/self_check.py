"""Run the visible checks of a student's notebook in a fresh kernel.

Only setup, todo and check cells run, in the lab's order, with the answers that grading would find. Leaves out: hidden checks, which a
release does not contain, and earned points, which only grading gives.
"""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from labkit.course.notebook.execution import CellFailure, execute_cells
from labkit.course.notebook.names import CellNames, cell_names
from labkit.course.notebook.structure import cell_info, cell_role
from labkit.course.release.strip import is_started
from labkit.course.submission.as_graded import as_graded
from labkit.error_names import NO_INPUT
from labkit.tables import aligned

__all__ = ["CELL_SECONDS", "NOT_ANSWERED", "CheckRow", "failing", "progress", "run_checks", "table"]

CELL_SECONDS = 120.0
NOT_ANSWERED = "not answered yet"
RUN_ROLES = ("setup", "todo", "check")
VERDICT_CHARS = 200
PART_CHARS = 110  # of each part of a verdict that has two
LINE_CHARS = 100
HEADINGS = ("exercise", "points", "visible check")
FAILED_CASE = re.compile(
    r"\n  expected: (?P<expected>.*?)\n  got:      (?P<got>.*?)\n  hint:     (?P<hint>.*?)(?:\n  more: .*)?$",
    re.DOTALL,
)
NO_VALUE = ("None", "NoneType None")


class CheckRow(NamedTuple):
    """One row of the table: an exercise or written answer, all its points, and the check's verdict."""

    exercise: str
    points: float
    verdict: str


def run_checks(path: Path, *, limit_s: float = CELL_SECONDS) -> list[CheckRow]:
    """Run the notebook's setup, todo and check cells; return one row per check and written answer.

    Args:
        path: a student's notebook; it is not changed.
        limit_s: seconds per cell; a cell that takes longer is interrupted, and the others still run.

    Raises:
        ValueError: if the file is not a notebook, or has no check cell.
        RuntimeError: if the kernel does not start, or the setup cell fails.
    """
    notebook = as_graded(path)
    cells = [cell for cell in notebook.cells if cell_role(cell) in RUN_ROLES]
    if not any(cell_role(cell) == "check" for cell in cells):
        raise ValueError(f"{path.name} has no check cells; give one of the released labs.")
    setup = [cell.id for cell in cells if cell_role(cell) == "setup"]
    failures = execute_cells(cells, path.parent, limit_s=limit_s, required=setup)
    for cell_id in setup:
        if cell_id in failures:
            verdict = _verdict(failures[cell_id])
            raise RuntimeError(f"the setup cell fails, so nothing can be checked: {verdict}")
    verdicts: dict[str, str] = {}  # of exercises that fail; the first cell that fails counts
    for cell in cells:
        if cell_role(cell) == "todo" and not is_started(cell):
            verdicts[_exercise(cell)] = NOT_ANSWERED
        elif cell.id in failures:
            verdicts.setdefault(_exercise(cell), _verdict(failures[cell.id]))
    verdicts = _explained(cells, verdicts)
    # In a release the check has the points of both; with solutions the hidden cell is there too.
    points = defaultdict[str, float](float)
    for cell in notebook.cells:
        if cell_role(cell) in ("check", "hidden"):
            points[_exercise(cell)] += cell_info(cell).points
    return [row for cell in notebook.cells for row in _rows(cell, verdicts, points)]


def failing(rows: Sequence[CheckRow]) -> list[CheckRow]:
    """Return the rows of the exercises that are answered and do not pass."""
    return [row for row in rows if row.verdict not in ("ok", "written", NOT_ANSWERED)]


def table(rows: Sequence[CheckRow]) -> str:
    """Return the rows as text, followed by what to do next and what the visible checks do not tell."""
    texts = [(row.exercise, f"{row.points:g}", row.verdict) for row in rows]
    return "\n".join(
        [
            aligned([HEADINGS, *texts], right=(False, True, False), width=LINE_CHARS),
            progress(rows),
            "Hidden checks, on other inputs, run at grading: an exercise earns its points if both are right,",
            "else none. A person reads the written answers. Where a check fails, the cell itself shows the",
            "input, what was expected and what your code returned.",
        ]
    )


def progress(rows: Sequence[CheckRow]) -> str:
    """Return in a line how many checks are ok and what to do next, in one lab or in several."""
    passed = sum(row.verdict == "ok" for row in rows)
    todo = [row.exercise for row in rows if row.verdict not in ("ok", "written")]
    return f"{passed} visible checks are ok. " + (f"Next: {todo[0]}." if todo else "Nothing is left to do.")


def _exercise(cell: NotebookNode) -> str:
    """Return the exercise that a cell belongs to."""
    return cell_info(cell).exercise or cell.id


def _explained(cells: Sequence[NotebookNode], verdicts: Mapping[str, str]) -> dict[str, str]:
    """Name, before the verdict of an exercise that fails, the failing exercises whose names it reads."""
    todos = {_exercise(cell): cell.source for cell in cells if cell_role(cell) == "todo"}
    names = {exercise: cell_names(todos.get(exercise, "")) or CellNames() for exercise in verdicts}
    explained = {}
    for exercise, verdict in verdicts.items():
        used = [
            other for other in names if other != exercise and names[exercise].needs & names[other].defines
        ]
        note = f"it uses {', '.join(used)}, not ok yet; " if used and verdict != NOT_ANSWERED else ""
        explained[exercise] = f"{note}{verdict}"
    return explained


def _rows(cell: NotebookNode, verdicts: Mapping[str, str], points: Mapping[str, float]) -> list[CheckRow]:
    """Return the row of a check or answer cell; none for another cell."""
    exercise = _exercise(cell)
    if cell_role(cell) == "check":
        return [CheckRow(exercise, points.get(exercise, 0), verdicts.get(exercise, "ok"))]
    if cell_role(cell) == "answer":
        verdict = "written" if is_started(cell) else NOT_ANSWERED
        return [CheckRow(exercise, cell_info(cell).points, verdict)]
    return []


def _verdict(failure: CellFailure) -> str:
    """Return the most telling part of a failure as one line."""
    if failure.kind != "error":
        return str(failure)
    if "StdinNotImplementedError" in failure.name + failure.text:
        return NO_INPUT
    if failure.needs:
        return NOT_ANSWERED
    case = FAILED_CASE.search(failure.text) if failure.name == "CheckFailed" else None
    if case:
        return _case_verdict(**case.groupdict())
    first_line = failure.text.strip().partition("\n")[0].strip()
    return _short(first_line if failure.name == "CheckFailed" else f"{failure.name}: {first_line}")


def _case_verdict(expected: str, got: str, hint: str) -> str:
    """Return the hint of a failed case, after the value if it is missing or has a wrong shape."""
    if expected == "a value" or expected.startswith("shape ") or got in NO_VALUE:
        instead = f" instead of {expected}" if expected.startswith("shape ") else ""
        return f"got: {_short(got, PART_CHARS)}{instead}; hint: {_short(hint, PART_CHARS)}"
    return f"hint: {_short(hint)}"


def _short(text: str, width: int = VERDICT_CHARS) -> str:
    """Return the text on one line, cut between words."""
    return textwrap.shorten(text, width, placeholder=" …")

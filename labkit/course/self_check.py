"""Run the visible checks of a student's notebook in a fresh kernel.

Only setup, todo and check cells run, in the notebook's order. Leaves out: hidden checks, which a
release does not hold, and points, which only grading gives.
"""

from __future__ import annotations

import queue
import re
import textwrap
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbformat import NotebookNode

from labkit.course.notebook import structure
from labkit.course.notebook.kernels import fresh_kernel
from labkit.course.release.strip import is_started
from labkit.error_names import public_name

__all__ = ["CELL_SECONDS", "NOT_ANSWERED", "Row", "run_checks", "table"]

CELL_SECONDS = 120.0
POLL_SECONDS = 0.5
NOT_ANSWERED = "not answered yet"
RUN_ROLES = ("setup", "todo", "check")
SAID_CHARS = 200  # of what is said about an exercise
PART_CHARS = 110  # of each part, where there are two
LINE_CHARS = 100
FAILURE = re.compile(
    r"\n  expected: (?P<expected>.*?)\n  got:      (?P<got>.*?)\n  hint:     (?P<hint>.*)", re.DOTALL
)
NO_VALUE = ("None", "NoneType None")


class Row(NamedTuple):
    """What the table says of one exercise or written answer, and the points of all of it."""

    exercise: str
    points: float
    verdict: str


def run_checks(path: Path, *, limit_s: float = CELL_SECONDS) -> list[Row]:
    """Run the notebook's setup, todo and check cells; one row a check and a written answer.

    Args:
        path: a student's notebook; it is not changed.
        limit_s: seconds a cell may take; one that takes longer is interrupted, the others run.

    Raises:
        ValueError: if the file is no notebook, or has no check cell.
        RuntimeError: if the kernel does not start, or the setup cell fails.
    """
    notebook = structure.read(path)
    cells = [cell for cell in notebook.cells if structure.cell_info(cell).get("role") in RUN_ROLES]
    if not any(structure.cell_info(cell)["role"] == "check" for cell in cells):
        raise ValueError(f"{path.name} has no check cells; give one of the released labs.")
    with fresh_kernel(path.parent) as (manager, client):
        problems = _run_all(cells, manager, client, limit_s)
    # In a release the check has the points of both; with solutions the hidden cell is there too.
    points = Counter[str]()
    for found in map(structure.cell_info, notebook.cells):
        if found.get("role") in ("check", "hidden"):
            points[str(found.get("id"))] += found.get("points", 0)
    return [row for cell in notebook.cells for row in _rows(cell, problems, points)]


def table(rows: Sequence[Row]) -> str:
    """The rows as text, and what they do not say."""
    lines = [f"{'exercise':10}{'points':>6}  visible check", *map(_line, rows)]
    checked = [row for row in rows if row.verdict != "written"]
    passed = sum(row.verdict == "ok" for row in checked)
    return "\n".join(
        [
            *lines,
            f"{passed} visible checks are ok. Hidden checks, on other inputs, run at grading: an exercise",
            "earns its points if both are right, else none. Written answers are read by a person.",
            "Where a check fails, the cell itself shows input, expected and got.",
        ]
    )


def _line(row: Row) -> str:
    """A row as text, its verdict wrapped below itself."""
    start = f"{row.exercise:10}{row.points:>6g}  "
    return textwrap.fill(row.verdict, LINE_CHARS, initial_indent=start, subsequent_indent=" " * len(start))


def _rows(cell: NotebookNode, problems: Mapping[str, str], points: Mapping[str, float]) -> list[Row]:
    """The row of a check or answer cell; none for another."""
    found = structure.cell_info(cell)
    exercise = str(found.get("id", cell.id))
    if found.get("role") == "check":
        return [Row(exercise, points.get(exercise, 0), problems.get(exercise) or "ok")]
    if found.get("role") == "answer":
        verdict = "written" if is_started(cell) else NOT_ANSWERED
        return [Row(exercise, found.get("points", 0), verdict)]
    return []


def _run_all(
    cells: Sequence[NotebookNode], manager: KernelManager, client: BlockingKernelClient, limit_s: float
) -> dict[str, str]:
    """Run the cells; what is wrong, by exercise. The first thing that went wrong with one counts."""
    problems: dict[str, str] = {}
    for cell in cells:
        found = structure.cell_info(cell)
        problem = _run(cell.source, manager, client, limit_s)
        if problem and found["role"] == "setup":
            raise RuntimeError(f"the setup cell fails, so that nothing can be checked: {problem}")
        if problem:
            problems.setdefault(str(found.get("id", cell.id)), problem)
    return problems


def _run(source: str, manager: KernelManager, client: BlockingKernelClient, limit_s: float) -> str | None:
    """Run one cell; the line that says what went wrong, None if nothing did."""
    if not manager.is_alive():
        return "not run: the kernel died in an earlier cell"
    asked = client.execute(source, store_history=False, stop_on_error=False)
    end = time.monotonic() + limit_s
    while True:
        try:
            reply = client.get_shell_msg(timeout=POLL_SECONDS)
        except queue.Empty:
            if not manager.is_alive():
                return "the kernel died while running it"
            if time.monotonic() > end:
                manager.interrupt_kernel()
                return _after_interrupt(asked, manager, client, limit_s)
            continue
        if reply["parent_header"].get("msg_id") == asked:
            return _problem(reply["content"])


def _after_interrupt(
    asked: str, manager: KernelManager, client: BlockingKernelClient, limit_s: float
) -> str:
    """Wait shortly for an interrupted cell to end; a kernel that does not stop is killed."""
    end = time.monotonic() + 10 * POLL_SECONDS
    while time.monotonic() < end:
        try:
            if client.get_shell_msg(timeout=POLL_SECONDS)["parent_header"].get("msg_id") == asked:
                break
        except queue.Empty:
            continue
    else:
        manager.shutdown_kernel(now=True)
    return f"not finished within {limit_s:g} s"


def _problem(content: dict[str, Any]) -> str | None:
    """What is most telling of an error, as one line."""
    if content["status"] == "ok":
        return None
    name, text = public_name(content.get("ename", content["status"])), content.get("evalue", "")
    if name == "NotImplementedError" and text.startswith("Exercise "):
        return NOT_ANSWERED
    found = FAILURE.search(text) if name == "CheckFailed" else None
    if found:
        return _failure(**found.groupdict())
    lines = [line.strip() for line in text.splitlines()] or [""]
    return _short(f"{name}: {lines[0]}")


def _failure(expected: str, got: str, hint: str) -> str:
    """What to say of a failed case: the hint, after what came instead of a value of the right shape."""
    if expected == "a value" or expected.startswith("shape ") or got in NO_VALUE:
        wanted = f" instead of {expected}" if expected.startswith("shape ") else ""
        return f"got: {_short(got, PART_CHARS)}{wanted}; hint: {_short(hint, PART_CHARS)}"
    return f"hint: {_short(hint)}"


def _short(text: str, width: int = SAID_CHARS) -> str:
    """The text on one line, cut between words."""
    return textwrap.shorten(text, width, placeholder=" …")

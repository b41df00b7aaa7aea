"""Check that a lab is complete: executed in order, claims hold, figures have alt text, points sum to 100.

:mod:`labkit.course.notebook.structure` checks the structure when a lab is read and stops at the first
problem; here a well-formed lab is checked and every problem is listed. Leaves out: limits on lines, words
or cells, since whether a lab reads well is for a reviewer to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from labkit.course.notebook.normal_form import to_bytes
from labkit.course.notebook.structure import GRADED_ROLES, cell_info, cell_role, code_cells

__all__ = ["lint"]

MAX_BYTES = 600_000
POINTS = 100
UNGRADED = "This notebook is not graded."  # in the title cell: the points sum to 0
NBVAL_MARKER = re.compile(r"^\s*#\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)", re.MULTILINE)


def lint(notebook: NotebookNode) -> list[str]:
    """Return every problem as one sentence; an empty list if there is none.

    A complete lab starts with a title and the setup cell. Every code cell was executed, in order,
    without an error, output on stderr, or a marker that switches off the comparison of its output.
    Every claim holds, every figure has alt text, and the points sum to 100, or to 0 where the title cell
    says that the notebook is not graded. The file has at most 600 kB, because figures are stored in the
    notebook.

    Args:
        notebook: a lab, as :func:`labkit.course.notebook.structure.read_lab` returns it.
    """
    problems = [*_notebook_problems(notebook), *_execution_problems(notebook)]
    for cell in notebook.cells:
        problems += [f"cell {cell.id}: {problem}" for problem in _cell_problems(cell)]
    return problems


def _notebook_problems(notebook: NotebookNode) -> Iterator[str]:
    """Yield what is wrong with the size, the first cells or the points of the lab."""
    cells = notebook.cells
    size = len(to_bytes(notebook))
    if size > MAX_BYTES:
        yield f"the file has {size // 1000} kB; at most {MAX_BYTES // 1000} kB are allowed"
    if not cells or cells[0].cell_type != "markdown" or not cells[0].source.startswith("# "):
        yield "the first cell is not a title ('# …')"
    if len(cells) < 2 or cell_role(cells[1]) != "setup":
        yield "the second cell is not the setup cell"
    points = sum(cell_info(cell).points for cell in cells if cell_role(cell) in GRADED_ROLES)
    is_graded = not cells or UNGRADED not in cells[0].source
    if points != (POINTS if is_graded else 0):
        yield f"the points sum to {points:g}, not {POINTS if is_graded else 0}"


def _execution_problems(notebook: NotebookNode) -> Iterator[str]:
    """Yield the code cells that were not executed, or not in order."""
    for place, cell in enumerate(code_cells(notebook), 1):
        if cell.execution_count is None:
            yield f"cell {cell.id}: not executed; run `labkit record`"
        elif cell.execution_count != place:
            yield f"cell {cell.id}: execution count {cell.execution_count}, expected {place}"


def _cell_problems(cell: NotebookNode) -> Iterator[str]:
    """Yield what is wrong with one cell by itself."""
    if cell.cell_type == "code":
        yield from _code_problems(cell)
        for output in cell.outputs:
            yield from _output_problems(output)


def _code_problems(cell: NotebookNode) -> Iterator[str]:
    """Yield what is wrong with the source of a code cell, or with its claims."""
    marker = NBVAL_MARKER.search(cell.source)
    if marker:
        yield f"the comment {marker[1]} has no effect in a lab; remove it"
    if cell_role(cell) == "claim":
        yield from _claim_problems(cell)


def _claim_problems(cell: NotebookNode) -> Iterator[str]:
    """Yield what is wrong with the verdicts that a claim cell printed."""
    verdicts = "".join(output.get("text", "") for output in cell.outputs).splitlines()
    if cell.execution_count is not None and not verdicts:
        yield "it makes no claim; call claim(text, condition)"
    for verdict in verdicts:
        if not verdict.startswith("holds: "):
            yield f"the claim is wrong: {verdict!r}; correct the text or the experiment"


def _output_problems(output: NotebookNode) -> Iterator[str]:
    """Yield what is wrong with one recorded output."""
    if output.output_type == "error":
        yield f"ends in {output.ename}"
    if output.output_type == "stream" and output.name == "stderr":
        yield "writes to stderr"
    for mime in output.get("data", {}):
        if mime.startswith("image/") and not output.metadata.get(mime, {}).get("alt", "").strip():
            yield f"its {mime} output has no alt text"

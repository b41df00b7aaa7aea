"""What a complete lab has: executed cells in order, claims that hold, alt text, points that sum to 100.

Structure is checked where a lab is read (:mod:`labkit.course.notebook.structure`); here a well-formed lab is
judged, and every problem is listed, not only the first. No lines, words or cells are counted: whether a
lab reads well is for a reviewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from labkit.course.notebook.normal_form import to_bytes
from labkit.course.notebook.structure import GRADED_ROLES, cell_info, code_cells

__all__ = ["lint"]

MAX_BYTES = 300_000
POINTS = 100
NBVAL_MARKER = re.compile(r"^\s*#\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)", re.MULTILINE)


def lint(notebook: NotebookNode) -> list[str]:
    """List every problem, one sentence each; an empty list if there is none.

    Looked at: a title first, then the setup cell; every code cell executed, in order, without error,
    stderr or a marker that switches the comparison of its output off; claims that hold; alt text on
    every figure; points that sum to 100; at most 300 kB, because figures are stored in the notebook.

    Args:
        notebook: a lab, as :func:`labkit.course.notebook.structure.read_lab` returns it.
    """
    found = [*_shape(notebook), *_execution(notebook)]
    for cell in notebook.cells:
        found += [f"cell {cell.id}: {problem}" for problem in _cell_problems(cell)]
    return found


def _shape(notebook: NotebookNode) -> Iterator[str]:
    """Size, order and points of the whole lab."""
    cells = notebook.cells
    size = len(to_bytes(notebook))
    if size > MAX_BYTES:
        yield f"{size // 1000} kB, at most {MAX_BYTES // 1000}"
    if not cells or cells[0].cell_type != "markdown" or not cells[0].source.startswith("# "):
        yield "the first cell is not a title ('# …')"
    if len(cells) < 2 or cell_info(cells[1]).get("role") != "setup":
        yield "the second cell is not the setup cell"
    points = sum(
        cell_info(cell).get("points", 0) for cell in cells if cell_info(cell).get("role") in GRADED_ROLES
    )
    if points != POINTS:
        yield f"the points sum to {points:g}, not {POINTS}"


def _execution(notebook: NotebookNode) -> Iterator[str]:
    """Whether every code cell was executed, in order."""
    for place, cell in enumerate(code_cells(notebook), 1):
        if cell.execution_count is None:
            yield f"cell {cell.id}: not executed; run `labkit record`"
        elif cell.execution_count != place:
            yield f"cell {cell.id}: execution count {cell.execution_count}, expected {place}"


def _cell_problems(cell: NotebookNode) -> Iterator[str]:
    """What is wrong with one cell by itself."""
    if cell.cell_type == "code":
        yield from _code_problems(cell)
        for output in cell.outputs:
            yield from _output_problems(output)


def _code_problems(cell: NotebookNode) -> Iterator[str]:
    """Markers and claims of one code cell."""
    marker = NBVAL_MARKER.search(cell.source)
    if marker:
        yield f"the comment {marker[1]} has no effect in a lab; remove it"
    if cell_info(cell).get("role") == "claim":
        yield from _claim_problems(cell)


def _claim_problems(cell: NotebookNode) -> Iterator[str]:
    """What is wrong with one claim cell: it prints verdicts, and each holds."""
    printed = "".join(output.get("text", "") for output in cell.outputs).splitlines()
    if cell.execution_count is not None and not printed:
        yield "claims nothing; call claim(text, condition)"
    for line in printed:
        if not line.startswith("holds: "):
            yield f"a claim that does not stand: {line!r}; correct the text or the experiment"


def _output_problems(output: NotebookNode) -> Iterator[str]:
    """What is wrong with one recorded output."""
    if output.output_type == "error":
        yield f"ends in {output.ename}"
    if output.output_type == "stream" and output.name == "stderr":
        yield "writes to stderr"
    for mime in output.get("data", {}):
        if mime.startswith("image/") and not output.metadata.get(mime, {}).get("alt", "").strip():
            yield f"its {mime} output has no alt text"

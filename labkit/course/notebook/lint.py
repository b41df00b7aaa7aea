"""The limits a lab keeps so that it stays short, readable and complete.

Structure is checked where a lab is read (:mod:`labkit.course.notebook.structure`); here a lab that is well
formed is judged, and everything found is listed, not only the first. Leaves out: whether prose is
good, and its lower limit of 30 words: a reading sentence after a figure, a heading or a table may
well be shorter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from labkit.course.notebook.normal_form import to_bytes
from labkit.course.notebook.structure import BEGIN_SOLUTION, END_SOLUTION, GRADED_ROLES, code_cells, labels

__all__ = ["lint"]

MAX_CELLS = 60
MAX_BYTES = 300_000
MAX_CODE_LINES = 30
MAX_SETUP_LINES = 10
MAX_SOLUTION_LINES = 12
MAX_CODE_CELLS_IN_A_ROW = 2
MAX_WORDS = {"text": 80, "answer": 160}  # an answer holds the question and a model answer
POINTS = 100
# A display equation, a fenced block, a table row, a heading, a link's target: not prose.
NOT_PROSE = re.compile(
    r"(?s:\$\$.*?\$\$|```.*?```|<!--.*?-->)|^[ \t]*\|.*$|^#+ .*$|(?<=\])\([^)\s]*\)", re.MULTILINE
)
NBVAL_MARKER = re.compile(r"^\s*#\s*(NBVAL_\w+|PYTEST_VALIDATE_IGNORE_OUTPUT)", re.MULTILINE)


def lint(notebook: NotebookNode) -> list[str]:
    """Everything that breaks a limit, one sentence each; an empty list if nothing does.

    Limits: at most 60 cells and 300 kB; a title first, then the setup cell of at most 10 lines;
    code cells of at most 30 lines (blank lines and delimiters do not count), at most two in a row
    besides claims; solutions of at most 12 lines; at most 80 words of prose a text
    cell, 160 an answer (headings, tables, display equations, code and link targets do not count);
    every code cell executed, in order, without error, stderr or a marker that switches the
    comparison of its output off; alt text on every figure; points that sum to 100.

    Args:
        notebook: a lab, as :func:`labkit.course.notebook.structure.parse` returns it.
    """
    found = [*_shape(notebook), *_execution(notebook)]
    for cell in notebook.cells:
        found += [f"cell {cell.id}: {problem}" for problem in _cell_problems(cell)]
    return found


def _shape(notebook: NotebookNode) -> Iterator[str]:
    """Size, order and points of the whole lab."""
    cells = notebook.cells
    shown = sum(labels(cell).get("role") != "claim" for cell in cells)  # students do not see claims
    if shown > MAX_CELLS:
        yield f"{shown} cells, at most {MAX_CELLS}"
    size = len(to_bytes(notebook))
    if size > MAX_BYTES:
        yield f"{size // 1000} kB, at most {MAX_BYTES // 1000}"
    if not cells or cells[0].cell_type != "markdown" or not cells[0].source.startswith("# "):
        yield "the first cell is not a title ('# …')"
    if len(cells) < 2 or labels(cells[1]).get("role") != "setup":
        yield "the second cell is not the setup cell"
    points = sum(
        labels(cell).get("points", 0) for cell in cells if labels(cell).get("role") in GRADED_ROLES
    )
    if points != POINTS:
        yield f"the points sum to {points:g}, not {POINTS}"
    in_a_row = 0
    for cell in cells:
        if labels(cell).get("role") == "claim":
            continue
        in_a_row = in_a_row + 1 if cell.cell_type == "code" else 0
        if in_a_row == MAX_CODE_CELLS_IN_A_ROW + 1:
            yield f"cell {cell.id}: the third code cell in a row; put a sentence between"


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
        return
    words = len(NOT_PROSE.sub(" ", cell.source).split())
    limit = MAX_WORDS.get(labels(cell).get("role", ""), MAX_WORDS["text"])
    if words > limit:
        yield f"{words} words of prose, at most {limit}"


def _code_problems(cell: NotebookNode) -> Iterator[str]:
    """Length and markers of one code cell."""
    lines = _line_count(cell.source)
    limit = MAX_SETUP_LINES if labels(cell).get("role") == "setup" else MAX_CODE_LINES
    if lines > limit:
        yield f"{lines} lines, at most {limit}"
    for solution in cell.source.split(BEGIN_SOLUTION)[1:]:
        length = _line_count(solution.partition(END_SOLUTION)[0])
        if length > MAX_SOLUTION_LINES:
            yield f"a solution of {length} lines, at most {MAX_SOLUTION_LINES}"
    marker = NBVAL_MARKER.search(cell.source)
    if marker:
        yield f"the comment {marker[1]} has no effect in a lab; remove it"
    if labels(cell).get("role") == "claim":
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


def _line_count(source: str) -> int:
    """Lines that are neither blank nor a solution's delimiter."""
    lines = (line.strip() for line in source.splitlines())
    return sum(1 for line in lines if line and line not in (BEGIN_SOLUTION, END_SOLUTION))

"""From a lab with solutions to the lab a student gets: pure, one notebook in, one out.

Leaves out: the proof that nothing leaked (:mod:`labkit.course.release.proof`) and the folder around the
notebooks (:mod:`labkit.course.release.folder`).
"""

from __future__ import annotations

import ast
import re

import nbformat
from nbformat import NotebookNode

from labkit.course.notebook.normal_form import normalise
from labkit.course.notebook.structure import BEGIN_SOLUTION, END_SOLUTION, cell_info

__all__ = ["AUTHORS_ROLES", "answer_prompt", "is_answered", "strip", "stub"]

SOLUTION = re.compile(
    rf"^([ \t]*){re.escape(BEGIN_SOLUTION)}[ \t]*\n.*?^[ \t]*{re.escape(END_SOLUTION)}[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
# What an answer cell asks stands in bold, or as a heading, in its first paragraph.
QUESTION = re.compile(r"\*\*.+\*\*|#+ .+", re.DOTALL)
AUTHORS_ROLES = frozenset({"hidden", "claim"})  # cells that no student gets
LOCKED = {"editable": False, "deletable": False}
PROTECTION = {
    "setup": LOCKED,
    "check": LOCKED,
    "todo": {"deletable": False},
    "answer": {"deletable": False},
}


def strip(notebook: NotebookNode) -> NotebookNode:
    """A copy without what answers an exercise: what DESIGN calls the released notebook.

    Solutions become stubs that raise ``NotImplementedError``, predictions become None, written
    answers keep their question only, hidden cells and claims go, outputs go; a check keeps the line that says
    how many cases a right answer passes, and is labelled with the points of check and hidden cell,
    since an exercise earns both or none. Check and setup cells are locked. No cell counts as
    executed.

    Args:
        notebook: a lab, as :func:`labkit.course.notebook.structure.read_lab` returns it.

    Raises:
        ValueError: if a predict cell is no Python code; names the cell.
    """
    released = normalise(notebook)
    hidden_points = {
        cell_info(cell)["id"]: cell_info(cell).get("points", 0)
        for cell in released.cells
        if cell_info(cell).get("role") == "hidden"
    }
    kept = [cell for cell in released.cells if cell_info(cell).get("role") not in AUTHORS_ROLES]
    released.cells = [_stripped(cell) for cell in kept]
    for cell in released.cells:
        found = cell_info(cell)
        if found.get("role") == "check" and hidden_points.get(found["id"]):
            cell.metadata.labkit["points"] = found.get("points", 0) + hidden_points[found["id"]]
    return released


def stub(source: str, exercise: str) -> str:
    """A todo cell's source with every solution replaced by a line that says what to do.

    >>> print(stub("def f(x):\\n    ### BEGIN SOLUTION\\n    return x\\n    ### END SOLUTION", "02.3"))
    def f(x):
        # TODO 02.3: replace the next line
        raise NotImplementedError("Exercise 02.3")
    """
    lines = (
        f"# TODO {exercise}: replace the next line",
        f'raise NotImplementedError("Exercise {exercise}")',
    )
    return SOLUTION.sub(lambda found: "\n".join(found[1] + line for line in lines), source)


def answer_prompt(source: str) -> str:
    """What is left of a written answer: its question, if it begins with one, and where to write.

    >>> print(answer_prompt("**Why?**\\n\\nBecause."))
    **Why?**
    <BLANKLINE>
    *Write your answer here.*
    """
    first, _, _ = source.partition("\n\n")
    asks = QUESTION.fullmatch(first.strip())
    return f"{first.strip()}\n\n*Write your answer here.*" if asks else "*Write your answer here.*"


def _stripped(cell: NotebookNode) -> NotebookNode:
    """One cell as students get it."""
    released = nbformat.from_dict(cell)
    found = cell_info(cell)
    role = found.get("role", "")
    if cell.cell_type == "code":
        released.execution_count = None
        released.outputs = _verdict(cell, found["id"]) if role == "check" else []
    if role == "todo":
        released.source = stub(cell.source, found["id"])
    elif role == "predict":
        released.source = _without_values(cell)
    elif role == "answer":
        released.source = answer_prompt(cell.source)
        released.pop("attachments", None)
    released.metadata.update(PROTECTION.get(role, {}))
    return released


def _verdict(cell: NotebookNode, exercise: str) -> list[NotebookNode]:
    """A check's recorded outputs that only say it passed; anything else could show an answer."""
    passed = re.compile(rf"{re.escape(exercise)} ok \(\d+ cases\)\n?")
    return [
        output
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stdout" and passed.fullmatch(output.text)
    ]


def _without_values(cell: NotebookNode) -> str:
    """A predict cell's source with None for every value assigned; comments stay."""
    try:
        statements = ast.parse(cell.source).body
    except SyntaxError as error:
        raise ValueError(f"cell {cell.id} is no Python code ({error.msg}); correct it.") from error
    content = cell.source.encode()
    lines = content.splitlines(keepends=True)  # subtle: ast counts columns in bytes
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]
    values = [
        node.value for node in statements if isinstance(node, ast.Assign | ast.AnnAssign) and node.value
    ]
    for value in reversed(values):
        assert value.end_lineno is not None
        assert value.end_col_offset is not None
        start = starts[value.lineno - 1] + value.col_offset
        end = starts[value.end_lineno - 1] + value.end_col_offset
        content = content[:start] + b"None" + content[end:]
    return content.decode()


def is_answered(cell: NotebookNode) -> bool:
    """Whether a todo or answer cell holds more than what was handed out."""
    found = cell_info(cell)
    if found.get("role") == "todo":
        return f'raise NotImplementedError("Exercise {found.get("id")}")' not in cell.source
    return cell.source.strip() not in ("", answer_prompt(cell.source).strip())

"""Turn a lab with solutions into the student version: one notebook in, one notebook out.

:mod:`labkit.course.release.leaks` then looks for answers that are left, and
:mod:`labkit.course.release.folder` writes the folder around the notebooks.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Sequence
from typing import Any

import nbformat
from nbformat import NotebookNode

from labkit.course.notebook.normal_form import normalise
from labkit.course.notebook.structure import (
    BEGIN_SOLUTION,
    END_SOLUTION,
    WRITTEN_ROLES,
    cell_info,
    cell_role,
    question,
    syntax_tree,
)

__all__ = ["AUTHORS_ROLES", "answer_prompt", "is_started", "strip", "stub"]

SOLUTION = re.compile(
    rf"^([ \t]*){re.escape(BEGIN_SOLUTION)}[ \t]*\n.*?^[ \t]*{re.escape(END_SOLUTION)}[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
AUTHORS_ROLES = frozenset({"hidden", "claim"})  # cells that students do not get
PLACE_TO_WRITE = "*Write your answer here.*"
LOCKED: dict[str, Any] = {"editable": False, "deletable": False}
GOES_ON: dict[str, Any] = {
    "tags": ["raises-exception"]
}  # Jupyter runs the cells below, also if this one fails
STUDENT_METADATA: dict[str, dict[str, Any]] = {
    "setup": LOCKED,
    "check": LOCKED | GOES_ON,
    "todo": {"deletable": False} | GOES_ON,
    "answer": {"deletable": False},
    "reading": {"deletable": False},
    "run": GOES_ON,
    "summary": GOES_ON,
}


def strip(notebook: NotebookNode) -> NotebookNode:
    """Return the student version of a lab: no solutions, no hidden cells, no outputs.

    Solutions become stubs that raise ``NotImplementedError``, predictions become None, and written
    answers and readings keep only their question. Hidden cells, claims and all outputs are removed. A check carries
    the points of the check and the hidden cell together, since an exercise earns both or none. Check
    and setup cells are locked. Cells that use answers may fail without ending "Run all cells". No cell
    counts as executed.

    Args:
        notebook: a lab, as :func:`labkit.course.notebook.structure.read_lab` returns it.

    Raises:
        ValueError: if a predict cell is not Python code; the message names the cell.
    """
    released = normalise(notebook)
    hidden_points = {
        cell_info(cell).exercise: cell_info(cell).points
        for cell in released.cells
        if cell_role(cell) == "hidden"
    }
    kept = [cell for cell in released.cells if cell_role(cell) not in AUTHORS_ROLES]
    released.cells = [_stripped(cell) for cell in kept]
    for cell in released.cells:
        info = cell_info(cell)
        if info.role == "check" and hidden_points.get(info.exercise):
            cell.metadata.labkit["points"] = info.points + hidden_points[info.exercise]
    return released


def stub(source: str, exercise: str) -> str:
    """Replace every solution of a TODO cell by a line that says what to do and raises.

    >>> print(stub("def f(x):\\n    ### BEGIN SOLUTION\\n    return x\\n    ### END SOLUTION", "02.3"))
    def f(x):
        # TODO 02.3: replace the next line
        raise NotImplementedError("Exercise 02.3")
    """
    lines = (
        f"# TODO {exercise}: replace the next line",
        f'raise NotImplementedError("Exercise {exercise}")',
    )
    return SOLUTION.sub(lambda match: "\n".join(match[1] + line for line in lines), source)


def answer_prompt(source: str) -> str:
    """Return what a release keeps of a written answer: its question, if it begins with one, and a place to write.

    >>> print(answer_prompt("**Why?**\\n\\nBecause."))
    **Why?**
    <BLANKLINE>
    *Write your answer here.*
    """
    asked = question(source)
    return f"{asked}\n\n{PLACE_TO_WRITE}" if asked else PLACE_TO_WRITE


def is_started(cell: NotebookNode, source: str | None = None) -> bool:
    """Whether a TODO or answer cell has been worked on; every part of labkit that asks, asks here.

    A TODO cell is not started if it holds no statement (comments do not count), or if the stub's
    ``raise NotImplementedError("Exercise 02.3")`` would still be reached: no ``return`` stands before
    it in its function. Code below the line, or a commented line, does not matter. An answer cell is
    not started if it holds no more than its question and the place to write.

    Args:
        cell: a cell of the lab or of the submission; its role and exercise are read.
        source: the student's text; None: the cell's own.
    """
    text = cell.source if source is None else source
    if cell_role(cell) != "todo":
        return text.strip() not in ("", answer_prompt(text).strip())
    tree = syntax_tree(text)
    if tree is None:
        return True
    try:
        return bool(tree.body) and not _reaches_stub(tree.body, f"Exercise {cell_info(cell).exercise}")
    except RecursionError:  # hundreds of blocks inside each other, or of elif
        return True


def _reaches_stub(block: Sequence[ast.stmt], message: str) -> bool:
    """Whether the stub's error is raised in the block, in a block inside it or in a function of it."""
    for statement in block:
        if isinstance(statement, ast.Raise) and _is_stub(statement, message):
            return True
        if any(_reaches_stub(inner, message) for inner in _blocks(statement)):
            return True
        is_definition = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if not is_definition and any(isinstance(node, ast.Return) for node in ast.walk(statement)):
            return False
    return False


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a compound statement."""
    for node in (statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        for name in ("body", "orelse", "finalbody"):
            yield getattr(node, name, [])


def _is_stub(statement: ast.Raise, message: str) -> bool:
    match statement.exc:
        case ast.Call(func=ast.Name(id="NotImplementedError"), args=[ast.Constant(value=text)]):
            return bool(text == message)
    return False


def _stripped(cell: NotebookNode) -> NotebookNode:
    """One cell of the student version."""
    released = nbformat.from_dict(cell)
    role = cell_role(cell)
    if cell.cell_type == "code":
        released.execution_count = None
        released.outputs = []
    if role == "todo":
        released.source = stub(cell.source, cell_info(cell).exercise)
    elif role == "predict":
        released.source = _without_values(cell)
    elif role in WRITTEN_ROLES:
        released.source = answer_prompt(cell.source)
        released.pop("attachments", None)
    released.metadata.update(copy.deepcopy(STUDENT_METADATA.get(role, {})))
    return released


def _without_values(cell: NotebookNode) -> str:
    """A predict cell's source with every assigned value replaced by None; comments stay."""
    try:
        statements = ast.parse(cell.source).body
    except SyntaxError as error:
        raise ValueError(f"cell {cell.id} is not Python code ({error.msg}); correct it.") from error
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

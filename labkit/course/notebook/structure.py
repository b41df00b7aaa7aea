"""Read a lab's notebook, check its structure, and find the cells of its exercises.

``cell.metadata.labkit`` describes a cell: its role, the exercise it belongs to, its points, and how its
output is compared. Leaves out: the normal form in which a notebook is stored
(:mod:`labkit.course.notebook.normal_form`) and completeness (:mod:`labkit.course.notebook.lint`).
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat import NotebookNode
from nbformat.v4.rwbase import rejoin_lines
from nbformat.validator import NotebookValidationError, iter_validate

from labkit.course.notebook.cell_ids import repair_ids

__all__ = [
    "BEGIN_SOLUTION",
    "END_SOLUTION",
    "EXERCISE_ROLES",
    "GRADED_ROLES",
    "ROLES",
    "WRITTEN_ROLES",
    "CellInfo",
    "cell_info",
    "cell_role",
    "code_cells",
    "exercises",
    "lab_metadata",
    "question",
    "read_lab",
    "read_notebook",
    "require_cell_info",
    "require_structure",
    "syntax_tree",
]

BEGIN_SOLUTION = "### BEGIN SOLUTION"
END_SOLUTION = "### END SOLUTION"
# In the order of an exercise's cells; a written answer may also be a question of its own.
EXERCISE_ROLES = ("todo", "check", "hidden", "answer")
WRITTEN_ROLES = frozenset({"answer", "reading"})  # a question, and what the student writes
MARKDOWN_ROLES = WRITTEN_ROLES | {"text"}
ROLES = MARKDOWN_ROLES | {"setup", "todo", "check", "hidden", "run", "claim", "predict", "summary"}
GRADED_ROLES = frozenset({"check", "hidden", "answer"})
# The question of a written cell is its first paragraph, in bold or as a heading.
QUESTION = re.compile(r"\*\*.+\*\*|#+ .+", re.DOTALL)
UNCOMPARED_ROLES = ("run", "summary")  # only these may have output that another machine does not repeat


@dataclass(frozen=True)
class CellInfo:
    """What ``cell.metadata.labkit`` says of a cell; a label that is missing has the value here.

    Attributes:
        role: one of :data:`ROLES` in a well-formed lab; empty in a cell that is none of a lab's.
        exercise: the exercise that the cell belongs to, such as ``02.3`` (the label ``id``).
        points: that the cell earns.
        rtol: relative tolerance for numbers in the output; None: that of every lab.
        atol: absolute tolerance.
        timeout_s: how long the cell may run; None: as long as any other.
        compare: whether the output is compared when the lab is executed again.
        given: numbers that the text gives on purpose, although a later cell prints them.
    """

    role: str = ""
    exercise: str = ""
    points: float = 0
    rtol: float | None = None
    atol: float | None = None
    timeout_s: float | None = None
    compare: bool = True
    given: tuple[float, ...] = ()


class _Label(NamedTuple):
    """A label of ``cell.metadata.labkit``: its field of :class:`CellInfo`, and what it may hold."""

    field: str
    is_valid: Callable[[object], bool]
    advice: str


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_amount(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf  # type: ignore[operator]


def _is_truth_value(value: object) -> bool:
    return isinstance(value, bool)


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and all(type(number) in (int, float) for number in value)


NOT_NEGATIVE = "use a number that is not negative"
LABELS = {
    "role": _Label("role", _is_text, "use a text"),
    "id": _Label("exercise", _is_text, 'use a text, such as "02.3"'),
    "points": _Label("points", _is_amount, NOT_NEGATIVE),
    "rtol": _Label("rtol", _is_amount, NOT_NEGATIVE),
    "atol": _Label("atol", _is_amount, NOT_NEGATIVE),
    "timeout": _Label("timeout_s", _is_amount, NOT_NEGATIVE),
    "compare": _Label("compare", _is_truth_value, "use false, or leave it out"),
    "given": _Label("given", _is_numbers, "use a list of the numbers that its text tells on purpose"),
}


def read_lab(path: Path) -> NotebookNode:
    """Return the well-formed lab in the file ``path``.

    Raises:
        ValueError: as :func:`read_notebook` and :func:`require_structure` do; names the file.
        OSError: if the file cannot be read.
    """
    notebook = read_notebook(path)
    require_structure(notebook, path.name)
    return notebook


def read_notebook(path: Path, *, repair: bool = False) -> NotebookNode:
    """Return the notebook in the file ``path``, whatever its cells' roles are.

    It is valid by nbformat's schema, and every cell has an id of its own.

    Args:
        path: the file; a byte-order mark in it is ignored.
        repair: give new ids to cells that have none, as editors of format 4.0 to 4.4 leave them, or
            that share one. The file itself does not change.
            :func:`labkit.course.notebook.cell_ids.restore_ids` then finds the released ids.

    Raises:
        ValueError: if the file is not JSON, not a notebook of format 4.5 (4.0 with ``repair``), or has
            cells that share an id or have none; names the file.
        OSError: if the file cannot be read.
    """
    try:
        content = json.loads(path.read_bytes())  # UTF-8 or UTF-16, with or without a byte-order mark
    except (ValueError, RecursionError) as error:
        raise _error(path.name, f"not JSON ({error})", "restore it from its last good version") from error
    if not isinstance(content, dict) or "cells" not in content:
        raise _error(path.name, "not a notebook (it has no cells)", "give the path of a lab's .ipynb file")
    if repair:
        repair_ids(content)
    major, minor = content.get("nbformat"), content.get("nbformat_minor")
    if major != 4 or not isinstance(minor, int) or minor < 5:
        problem = f"notebook format {major}.{minor}, expected 4.5"
        advice = "open and save it in JupyterLab"
        if major == 4:  # JupyterLab keeps the format, and the ids are gone
            advice = "restore it from its last good version, since its editor has removed the cells' ids"
        raise _error(path.name, problem, advice)
    notebook = nbformat.from_dict(content)
    invalid: NotebookValidationError | None = next(iter(iter_validate(notebook)), None)
    if invalid is not None:
        reason = str(invalid).splitlines()[0]
        raise _error(path.name, f"not a valid notebook ({reason})", "save it with JupyterLab")
    repeated = _repeated(cell.id for cell in notebook.cells)
    if repeated:
        raise _error(
            path.name,
            f"several cells have the id {', '.join(repeated)}",
            "open and save it in JupyterLab, which gives each cell its own id",
        )
    return rejoin_lines(notebook)  # stored as lists of lines


def require_structure(notebook: NotebookNode, name: str) -> None:
    """Raise ValueError, naming the notebook ``name`` and the cell, unless the lab is well formed.

    In a well-formed lab, every cell has a role and no unknown label. An exercise has one todo, one check
    and one hidden cell, in this order, or is a written answer only. Solutions are enclosed by balanced
    delimiters, in todo cells only.
    """
    require_cell_info(notebook, name)
    for cell in notebook.cells:
        problem = _solution_problem(cell)
        if problem:
            raise _error(name, f"cell {cell.id} {problem[0]}", problem[1])
    roles_by_exercise: dict[str, list[str]] = {}
    for cell in notebook.cells:
        if cell_role(cell) in EXERCISE_ROLES:
            roles_by_exercise.setdefault(cell_info(cell).exercise, []).append(cell_role(cell))
    for exercise, roles in roles_by_exercise.items():
        problem = _exercise_problem(roles)
        if problem:
            raise _error(name, f"exercise {exercise} has {problem[0]}", problem[1])


def require_cell_info(notebook: NotebookNode, name: str) -> None:
    """Raise ValueError, naming ``name`` and the cell, unless every cell's labels are valid."""
    for cell in notebook.cells:
        problem = _label_problem(cell)
        if problem:
            raise _error(name, f"cell {cell.id} {problem[0]}", problem[1])


def cell_info(cell: NotebookNode) -> CellInfo:
    """Return what ``cell.metadata.labkit`` says; a label of the wrong type counts as missing."""
    values: dict[str, Any] = {
        LABELS[name].field: value
        for name, value in lab_metadata(cell).items()
        if LABELS[name].is_valid(value)
    }
    return CellInfo(**values | {"given": tuple(values.get("given", ()))})


def lab_metadata(cell: NotebookNode) -> dict[str, object]:
    """Return the labels that labkit knows as the notebook holds them, whatever their values."""
    metadata = _labkit_metadata(cell)
    return {name: metadata[name] for name in LABELS if name in metadata}


def cell_role(cell: NotebookNode) -> str:
    """Return the role in ``cell.metadata.labkit``, such as ``todo``; an empty string if there is none."""
    return cell_info(cell).role


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the code cells that are not blank, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def exercises(notebook: NotebookNode) -> dict[str, dict[str, NotebookNode]]:
    """Return the cells of each exercise by role: ``{"02.3": {"todo": …, "check": …, "hidden": …}}``."""
    cells: dict[str, dict[str, NotebookNode]] = {}
    for cell in notebook.cells:
        if cell_role(cell) in EXERCISE_ROLES:
            cells.setdefault(cell_info(cell).exercise, {})[cell_role(cell)] = cell
    return cells


def question(source: str) -> str:
    r"""Return the question of a written cell: its first paragraph, if it is in bold or a heading; else "".

    >>> question("**Why?**\n\nBecause.")
    '**Why?**'
    """
    first = source.partition("\n\n")[0].strip()
    return first if QUESTION.fullmatch(first) else ""


def syntax_tree(source: str) -> ast.Module | None:
    """Return the syntax tree of a cell, or None if it is not Python.

    >>> syntax_tree("x = 1") is None, syntax_tree("x =") is None
    (False, True)
    """
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # depending on the version of Python
        return None


def _labkit_metadata(cell: NotebookNode) -> Mapping[str, object]:
    """Return ``cell.metadata.labkit`` as it is; nothing if it is not a mapping."""
    metadata = cell.metadata.get("labkit", {})
    return metadata if isinstance(metadata, Mapping) else {}


def _label_problem(cell: NotebookNode) -> tuple[str, str] | None:
    """Return what is wrong with a cell's labels and how to fix it, or None."""
    metadata = _labkit_metadata(cell)
    role = metadata.get("role")
    if role not in ROLES:
        return f"has the role {role!r}", f"set metadata.labkit.role to one of {', '.join(sorted(ROLES))}"
    if (cell.cell_type == "markdown") != (role in MARKDOWN_ROLES) or cell.cell_type == "raw":
        return f"is {cell.cell_type} but has the role {role}", "change its type or its role"
    unknown = sorted(set(metadata) - set(LABELS))
    if unknown:
        return f"has the unknown label {', '.join(unknown)}", f"use only {', '.join(LABELS)}"
    for name, value in metadata.items():
        if not LABELS[name].is_valid(value):
            return f"has {name} = {value!r}", LABELS[name].advice
    return _role_problem(cell, cell_info(cell))


def _role_problem(cell: NotebookNode, info: CellInfo) -> tuple[str, str] | None:
    """Return what does not fit the role of a cell whose labels are valid, and how to fix it, or None."""
    role = info.role
    if role in EXERCISE_ROLES and not info.exercise:
        return f"has the role {role} but no exercise id", 'set metadata.labkit.id, such as "02.3"'
    if role in WRITTEN_ROLES and not question(cell.source):
        return f"has the role {role} but no question", "begin it with a paragraph in bold: **Why …?**"
    if role in ("check", "hidden", "claim") and not cell.source.strip():
        return f"has the role {role} but no code", "restore it: a blank cell is never run or compared"
    if not info.compare and role not in UNCOMPARED_ROLES:
        return (
            f"has the role {role} but is not compared",
            "remove compare; a run or summary cell may have it",
        )
    if role == "claim" and (info.rtol, info.atol) != (None, None):
        return "has the role claim and a tolerance", "remove rtol and atol: a claim is compared exactly"
    return None


def _solution_problem(cell: NotebookNode) -> tuple[str, str] | None:
    """Return what is wrong with a cell's solution delimiters and how to fix it, or None."""
    lines = [line.strip() for line in cell.source.splitlines()]
    delimiters = [line for line in lines if line in (BEGIN_SOLUTION, END_SOLUTION)]
    is_todo = cell_role(cell) == "todo"
    if delimiters and not is_todo:
        return f"is not a todo cell but contains {delimiters[0]!r}", "remove the line"
    balanced = delimiters == [BEGIN_SOLUTION, END_SOLUTION] * (len(delimiters) // 2)
    if not balanced or (is_todo and not delimiters):
        advice = f"put the solution between one {BEGIN_SOLUTION!r} and one {END_SOLUTION!r} line"
        return "has unbalanced or missing solution delimiters", advice
    return None


def _exercise_problem(roles: list[str]) -> tuple[str, str] | None:
    """Return what is wrong with an exercise whose cells have these roles and how to fix it, or None."""
    repeated = _repeated(roles)
    if repeated:
        return f"more than one {repeated[0]} cell", "give the second another id or remove it"
    coded = [role for role in roles if role != "answer"]
    missing = [role for role in EXERCISE_ROLES[:3] if role not in coded]
    if coded and missing:
        return f"no {missing[0]} cell", "add it; an exercise is a todo, a check and a hidden cell"
    if coded != sorted(coded, key=EXERCISE_ROLES.index):
        return f"its cells in the order {', '.join(coded)}", "order them todo, check, hidden"
    return None


def _repeated(names: Iterator[str] | list[str]) -> list[str]:
    """Return the names that occur more than once."""
    return [name for name, times in Counter(names).items() if times > 1]


def _error(name: str, problem: str, advice: str) -> ValueError:
    """Return the error that names the notebook, the problem and how to fix it."""
    return ValueError(f"{name}: {problem}; {advice}.")

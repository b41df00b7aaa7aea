"""A lab's notebook as data: read it, check its structure, find the cells of an exercise.

What a cell is for stands in ``cell.metadata.labkit``: its role, the exercise it belongs to, its
points, and how its output is compared. Leaves out: the normal form a notebook is stored in
(:mod:`labkit.course.notebook.normal_form`) and completeness (:mod:`labkit.course.notebook.lint`).
"""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4.rwbase import rejoin_lines
from nbformat.validator import NotebookValidationError, iter_validate

__all__ = [
    "BEGIN_SOLUTION",
    "END_SOLUTION",
    "EXERCISE_ROLES",
    "GRADED_ROLES",
    "LABELS",
    "ROLES",
    "cell_info",
    "cell_role",
    "code_cells",
    "exercises",
    "parse",
    "read",
    "require_cell_info",
    "require_structure",
    "syntax_tree",
]

BEGIN_SOLUTION = "### BEGIN SOLUTION"
END_SOLUTION = "### END SOLUTION"
# The cells of an exercise stand in this order; a written answer may stand alone.
EXERCISE_ROLES = ("todo", "check", "hidden", "answer")
MARKDOWN_ROLES = frozenset({"text", "answer"})
ROLES = MARKDOWN_ROLES | {"setup", "todo", "check", "hidden", "run", "claim", "predict", "summary"}
GRADED_ROLES = frozenset({"check", "hidden", "answer"})
NUMBERS = ("points", "rtol", "atol", "timeout")
LABELS = ("role", "id", *NUMBERS, "compare")
SHOWING_ROLES = ("run", "summary")  # only these may show what another machine would not repeat


def read(path: Path) -> NotebookNode:
    """The notebook in the file ``path``, valid by nbformat's schema, every cell with its own id.

    Raises:
        ValueError: if the file is not JSON, not a notebook of format 4.5, or has cells that share
            an id or have none; names the file.
        OSError: if the file cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _fault(path.name, f"not JSON ({error})", "restore it from its last good version") from error
    if not isinstance(content, dict) or "cells" not in content:
        raise _fault(path.name, "not a notebook (it has no cells)", "give the path of a lab's .ipynb file")
    major, minor = content.get("nbformat"), content.get("nbformat_minor")
    if major != 4 or not isinstance(minor, int) or minor < 5:
        found = f"notebook format {major}.{minor}, expected 4.5"
        raise _fault(path.name, found, "open and save it in JupyterLab")
    notebook = nbformat.from_dict(content)
    problem: NotebookValidationError | None = next(iter(iter_validate(notebook)), None)
    if problem is not None:
        reason = str(problem).splitlines()[0]
        raise _fault(path.name, f"not a valid notebook ({reason})", "save it with JupyterLab")
    repeated = _repeated(cell.id for cell in notebook.cells)
    if repeated:
        raise _fault(
            path.name, f"several cells have the id {', '.join(repeated)}", "give each cell an id of its own"
        )
    return rejoin_lines(notebook)  # stored as lists of lines


def parse(path: Path) -> NotebookNode:
    """The lab in the file ``path``: :func:`read`, then :func:`require_structure`."""
    notebook = read(path)
    require_structure(notebook, path.name)
    return notebook


def require_structure(notebook: NotebookNode, name: str) -> None:
    """Raise ValueError, naming the notebook ``name`` and the cell, unless the lab is well formed.

    Every cell has a role and no unknown label; an exercise has one todo, check and hidden cell, in
    this order (or is a written answer alone); solutions stand between balanced delimiters, in todo
    cells only.
    """
    require_cell_info(notebook, name)
    for cell in notebook.cells:
        problem = _solution_problem(cell)
        if problem:
            raise _fault(name, f"cell {cell.id} {problem[0]}", problem[1])
    places: dict[str, list[str]] = {}
    for cell in notebook.cells:
        if cell_info(cell)["role"] in EXERCISE_ROLES:
            places.setdefault(cell_info(cell)["id"], []).append(cell_info(cell)["role"])
    for exercise, roles in places.items():
        problem = _exercise_problem(roles)
        if problem:
            raise _fault(name, f"exercise {exercise} has {problem[0]}", problem[1])


def require_cell_info(notebook: NotebookNode, name: str) -> None:
    """Raise ValueError, naming ``name`` and the cell, unless every cell's labels are valid."""
    for cell in notebook.cells:
        problem = _label_problem(cell)
        if problem:
            raise _fault(name, f"cell {cell.id} {problem[0]}", problem[1])


def cell_info(cell: NotebookNode) -> dict[str, Any]:
    """What ``cell.metadata.labkit`` says: role, id, points, rtol, atol, timeout, compare; empty if nothing."""
    found = cell.metadata.get("labkit", {})
    return dict(found) if isinstance(found, Mapping) else {}


def cell_role(cell: NotebookNode) -> str:
    """Return the role in ``cell.metadata.labkit``, such as ``todo``; an empty string if there is none."""
    return str(cell_info(cell).get("role", ""))


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells that hold code, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def exercises(notebook: NotebookNode) -> dict[str, dict[str, NotebookNode]]:
    """The cells of each exercise by role: ``{"02.3": {"todo": …, "check": …, "hidden": …}}``."""
    found: dict[str, dict[str, NotebookNode]] = {}
    for cell in notebook.cells:
        if cell_info(cell).get("role") in EXERCISE_ROLES:
            found.setdefault(cell_info(cell)["id"], {})[cell_info(cell)["role"]] = cell
    return found


def _label_problem(cell: NotebookNode) -> tuple[str, str] | None:
    """What is wrong with a cell's labels, and what to do; None if nothing."""
    found = cell_info(cell)
    role = found.get("role")
    if role not in ROLES:
        return f"has the role {role!r}", f"set metadata.labkit.role to one of {', '.join(sorted(ROLES))}"
    if (cell.cell_type == "markdown") != (role in MARKDOWN_ROLES) or cell.cell_type == "raw":
        return f"is {cell.cell_type} but has the role {role}", "change its type or its role"
    unknown = sorted(set(found) - set(LABELS))
    if unknown:
        return f"has the unknown label {', '.join(unknown)}", f"use only {', '.join(LABELS)}"
    for key in NUMBERS:
        value = found.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            return f"has {key} = {value!r}", "use a number that is not negative"
    if role in EXERCISE_ROLES and not (isinstance(found.get("id"), str) and found["id"]):
        return f"has the role {role} but no exercise id", 'set metadata.labkit.id, such as "02.3"'
    if role in ("check", "hidden", "claim") and not cell.source.strip():
        return f"has the role {role} but no code", "restore it: an empty cell is never run or compared"
    return _comparison_problem(found)


def _comparison_problem(found: dict[str, Any]) -> tuple[str, str] | None:
    """What is wrong with how a cell of a known role is to be compared, and what to do; None if nothing."""
    role = found["role"]
    if not isinstance(found.get("compare", True), bool):
        return f"has compare = {found['compare']!r}", "use false, or leave it out"
    if not found.get("compare", True) and role not in SHOWING_ROLES:
        return (
            f"has the role {role} but is not compared",
            "remove compare; a run or summary cell may have it",
        )
    if role == "claim" and {"rtol", "atol"} & set(found):
        return "has the role claim and a tolerance", "remove rtol and atol: a claim is compared exactly"
    return None


def _solution_problem(cell: NotebookNode) -> tuple[str, str] | None:
    """What is wrong with a cell's solution delimiters, and what to do; None if nothing."""
    lines = [line.strip() for line in cell.source.splitlines()]
    marks = [line for line in lines if line in (BEGIN_SOLUTION, END_SOLUTION)]
    is_todo = cell_info(cell)["role"] == "todo"
    if marks and not is_todo:
        return f"is no todo cell but holds {marks[0]!r}", "remove the line"
    if marks != [BEGIN_SOLUTION, END_SOLUTION] * (len(marks) // 2) or (is_todo and not marks):
        advice = f"put the solution between one {BEGIN_SOLUTION!r} and one {END_SOLUTION!r} line"
        return "has unbalanced or missing solution delimiters", advice
    return None


def _exercise_problem(roles: list[str]) -> tuple[str, str] | None:
    """What is wrong with the cells of one exercise, given their roles in order; None if nothing."""
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
    """The names that occur more than once."""
    return [name for name, times in Counter(names).items() if times > 1]


def _fault(name: str, problem: str, advice: str) -> ValueError:
    """The error that names the notebook, what is wrong and what to do."""
    return ValueError(f"{name}: {problem}; {advice}.")


def syntax_tree(source: str) -> ast.Module | None:
    """The syntax tree of a cell; None if it is not Python, for whichever reason this version gives.

    >>> syntax_tree("x = 1") is None, syntax_tree("x =") is None
    (False, True)
    """
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None

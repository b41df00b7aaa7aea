"""Which points an answer earns: what came out of the box against what only stands out here.

The code of an exercise earns all its points or none. They are given if the visible check passes and
the hidden cell prints what was recorded: a student's code can forge the first, since it runs in
the same process, but cannot print values it has never seen. Leaves out: running
(:mod:`labkit.course.grading.execution`), written answers' marks (:mod:`labkit.course.grading.gradebook`).
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from nbformat import NotebookNode

from labkit.course.notebook.comparison import DEFAULT, Tolerance, differences
from labkit.course.notebook.structure import cell_info, exercises, syntax_tree
from labkit.course.release.strip import answer_prompt

__all__ = ["Exercise", "Mark", "Outcome", "coded", "defined", "judge", "marks", "names", "written"]


class Outcome(NamedTuple):
    """How an exercise fared: a status of one or two words, and the reason in a sentence."""

    status: str
    reason: str


RIGHT = Outcome("right", "")


@dataclass(frozen=True)
class Mark:
    """A line of the grades: one question of one lab."""

    question: str
    earned: float
    max: float
    status: str  # right, wrong, not started, missing, error, timeout, limit, to mark, not graded
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self)


@dataclass(frozen=True)
class Exercise:
    """What the grader knows of an exercise."""

    name: str
    todo: NotebookNode = field(repr=False)
    check: NotebookNode = field(repr=False)
    hidden: NotebookNode = field(repr=False)

    @property
    def points(self) -> float:
        """Of check and hidden cell together."""
        return sum(cell_info(cell).get("points", 0) for cell in (self.check, self.hidden))

    def cell(self, phase: str) -> NotebookNode:
        """The ``check`` or the ``hidden`` cell."""
        return self.check if phase == "check" else self.hidden


def coded(reference: NotebookNode) -> dict[str, Exercise]:
    """The exercises of a lab that are programmed, by id, in order."""
    return {
        name: Exercise(name, cells["todo"], cells["check"], cells["hidden"])
        for name, cells in exercises(reference).items()
        if "todo" in cells
    }


def written(reference: NotebookNode) -> dict[str, NotebookNode]:
    """The written answers of a lab by question; one beside code is called ``02.7 written``."""
    return {
        f"{name} written" if "todo" in cells else name: cells["answer"]
        for name, cells in exercises(reference).items()
        if "answer" in cells
    }


def marks(
    reference: NotebookNode,
    outcomes: Mapping[str, Outcome],
    answers: Mapping[str, str],
    missing: str = "its cell was not found",
) -> list[Mark]:
    """A mark for every question of the lab; ``missing`` is why an exercise may have no outcome."""
    found = []
    for name, exercise in coded(reference).items():
        status, reason = outcomes.get(name, Outcome("missing", missing))
        earned = exercise.points if status == "right" else 0
        found.append(Mark(name, earned, exercise.points, status, reason))
    for name, cell in written(reference).items():
        given = answers.get(cell.id)
        status, reason = ("missing", missing) if given is None else ("to mark", "")
        if given is not None and given.strip() in ("", answer_prompt(cell.source)):
            status = "not started"
        found.append(Mark(name, 0, cell_info(cell).get("points", 0), status, reason))
    return sorted(found, key=lambda mark: mark.question)


def judge(phase: str, exercise: Exercise, reply: Mapping[str, Any], seconds: float) -> Outcome | None:
    """What a reply of the runner means for an exercise; None if this phase is passed.

    Args:
        phase: ``check`` or ``hidden``. Nothing that the hidden phase printed gets into a reason: it
            could hold the hidden cell's code.
        exercise: whose cells were run.
        reply: ``{"cells": [{"cell", "error", "text", "own"}], "ended": None or {"why", "cell"}}``;
            may hold anything, since the student's code can write it.
        seconds: the limit, for the reason.
    """
    ended = reply.get("ended")
    if ended is not None:
        late = isinstance(ended, Mapping) and ended.get("why") == "late"
        reason = f"not finished within {seconds:g} s" if late else "ends the process it runs in"
        return Outcome("timeout" if late else "error", _where(phase) + reason)
    cells = reply.get("cells")
    found = {
        str(each.get("cell")): each
        for each in (cells if isinstance(cells, list) else [])
        if isinstance(each, Mapping)
    }
    final = found.get(exercise.cell(phase).id)
    if final is None:
        return Outcome("error", _where(phase) + "its results do not come back")
    problem = final.get("error")
    if isinstance(problem, Mapping):
        todo = found.get(exercise.todo.id, {}).get("error")
        return _failed(phase, problem, todo if isinstance(todo, Mapping) else None)
    texts = [str(final.get(key, "")) for key in ("text", "own")]
    return _check_text(exercise, texts[0]) if phase == "check" else _hidden_text(exercise, texts)


def _failed(phase: str, problem: Mapping[str, Any], todo: Mapping[str, Any] | None) -> Outcome:
    """The outcome of a cell that raised ``problem``, after the todo cell raised ``todo``."""
    kind, text = str(problem.get("kind")), str(problem.get("text"))
    if kind == "NotImplementedError":
        return Outcome("not started", "raises NotImplementedError: nothing was written, or not all of it")
    if kind in ("MemoryError", "OutputLimit"):
        what = "memory" if kind == "MemoryError" else "output"
        return Outcome("limit", f"{_where(phase)}needs more {what} than allowed")
    if phase == "hidden":
        known = kind if hasattr(builtins, kind) or kind == "CheckFailed" else "an error"
        return Outcome("wrong", f"{_where(phase)}raises {known}")
    if kind == "CheckFailed":
        return Outcome("wrong", text)
    if todo is not None:
        return Outcome("error", f"the TODO cell raises {todo.get('kind')}: {todo.get('text')}")
    return Outcome("error", f"the check raises {kind}: {text}")


def _check_text(exercise: Exercise, text: str) -> Outcome | None:
    """Whether a check said what it says of a right answer, among other prints."""
    if set(_recorded(exercise.check).split("\n")) <= {line.rstrip() for line in f"{text}\n".split("\n")}:
        return None
    return Outcome("error", "the check does not print that it passed")


def _hidden_text(exercise: Exercise, texts: list[str]) -> Outcome | None:
    """Whether the hidden cell printed what was recorded, with or without the answer's own prints."""
    found = cell_info(exercise.hidden)
    tolerance = Tolerance(found.get("rtol", DEFAULT.rtol), found.get("atol", DEFAULT.atol))
    recorded = _recorded(exercise.hidden)
    if any(not differences(recorded, text, tolerance) for text in texts):
        return None
    return Outcome(
        "wrong",
        _where("hidden") + "gives other results than expected, on inputs the notebook does not show",
    )


def _where(phase: str) -> str:
    return "passes the visible check, but in the hidden one " if phase == "hidden" else ""


def _recorded(cell: NotebookNode) -> str:
    """The text that a cell printed and showed when the lab was recorded."""
    parts = [
        output.text
        if output.output_type == "stream"
        else output.get("data", {}).get("text/plain", "") + "\n"
        for output in cell.outputs
        if output.get("name") != "stderr"
    ]
    return "".join(parts).rstrip()


def defined(source: str) -> set[str]:
    """The names that a cell defines at its margin; none if it is no Python."""
    found: set[str] = set()
    for node in _tree(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            found |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return found


def names(source: str) -> set[str]:
    """The names that a cell uses; none if it is no Python."""
    return {node.id for node in ast.walk(_tree(source)) if isinstance(node, ast.Name)}


def _tree(source: str) -> ast.Module:
    return syntax_tree(source) or ast.Module(body=[], type_ignores=[])

"""Score an answer: compare what the sandbox printed with the recorded output, which never enters it.

The code of an exercise earns all its points or none. It earns them if the visible check passes and
the hidden cell prints what was recorded. A student's code can forge the first, since it runs in the
same process, but it cannot print values that it has never seen. People mark written answers
(:mod:`labkit.course.grading.gradebook`).
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from nbformat import NotebookNode

from labkit.course.grading.results import Mark, Status
from labkit.course.grading.sandbox.messages import Reply
from labkit.course.notebook.comparison import Tolerance, differences
from labkit.course.notebook.structure import cell_info, exercises
from labkit.course.release.strip import is_started

__all__ = [
    "RIGHT",
    "CodingExercise",
    "ExerciseOutcome",
    "Phase",
    "coding_exercises",
    "mark_lab",
    "outcome_of_reply",
    "written_questions",
]

Phase = Literal["check", "hidden"]


class ExerciseOutcome(NamedTuple):
    """The status of an exercise and the reason for it, one sentence or empty."""

    status: Status
    reason: str


RIGHT = ExerciseOutcome("right", "")


@dataclass(frozen=True)
class CodingExercise:
    """An exercise that is programmed, with its three cells of the lab with solutions."""

    name: str
    todo: NotebookNode = field(repr=False)
    check: NotebookNode = field(repr=False)
    hidden: NotebookNode = field(repr=False)

    @property
    def points(self) -> float:
        """The points of the check and the hidden cell together."""
        return sum(cell_info(cell).points for cell in (self.check, self.hidden))

    def cell(self, phase: Phase) -> NotebookNode:
        """The check cell or the hidden cell."""
        return self.check if phase == "check" else self.hidden


def coding_exercises(source: NotebookNode) -> dict[str, CodingExercise]:
    """The exercises of a lab that are programmed, by id, in order."""
    return {
        name: CodingExercise(name, cells["todo"], cells["check"], cells["hidden"])
        for name, cells in exercises(source).items()
        if "todo" in cells
    }


def written_questions(source: NotebookNode) -> dict[str, NotebookNode]:
    """The written answers of a lab by question; one beside code is called ``02.7 written``."""
    return {
        f"{name} written" if "todo" in cells else name: cells["answer"]
        for name, cells in exercises(source).items()
        if "answer" in cells
    }


def mark_lab(
    source: NotebookNode,
    outcomes: Mapping[str, ExerciseOutcome],
    answers: Mapping[str, str],
    missing: str = "its cell was not found",
) -> tuple[Mark, ...]:
    """Give every question of a lab a mark.

    Args:
        source: the lab with solutions.
        outcomes: of the exercises whose cell was submitted.
        answers: the submitted cells by cell id.
        missing: the reason where a cell was not submitted.
    """
    marks = []
    for name, exercise in coding_exercises(source).items():
        status, reason = outcomes.get(name, ExerciseOutcome("missing", missing))
        earned = exercise.points if status == "right" else 0
        marks.append(Mark(name, earned, exercise.points, status, reason))
    for name, cell in written_questions(source).items():
        status, reason = _written_outcome(cell, answers.get(cell.id), missing)
        marks.append(Mark(name, 0, cell_info(cell).points, status, reason))
    return tuple(sorted(marks, key=lambda mark: mark.question))


def _written_outcome(cell: NotebookNode, answer: str | None, missing: str) -> ExerciseOutcome:
    """The outcome of a written answer, which only a person can mark."""
    if answer is None:
        return ExerciseOutcome("missing", missing)
    return ExerciseOutcome("to mark" if is_started(cell, answer) else "not started", "")


def outcome_of_reply(
    phase: Phase, exercise: CodingExercise, reply: Reply, seconds: float
) -> ExerciseOutcome | None:
    """What a reply of the sandbox's runner means for an exercise; None if the exercise passes this phase.

    Args:
        phase: which cell was run. Nothing that the hidden cell printed enters a reason, since it
            could contain the hidden cell's code.
        exercise: the exercise whose cells were run.
        reply: ``{"cells": [{"cell", "error", "text", "own"}], "ended": None or {"why", "cell"}}``;
            it may hold anything, since the student's code can write it.
        seconds: the time limit, quoted in the reason.
    """
    ended = reply.get("ended")
    if ended is not None:
        timed_out = isinstance(ended, Mapping) and ended.get("why") == "late"
        reason = f"not finished within {seconds:g} s" if timed_out else "ends the process it runs in"
        return ExerciseOutcome("timeout" if timed_out else "error", _where(phase) + reason)
    cells = reply.get("cells")
    records = {
        str(record.get("cell")): record
        for record in (cells if isinstance(cells, list) else [])
        if isinstance(record, Mapping)
    }
    final = records.get(exercise.cell(phase).id)
    if final is None:
        return ExerciseOutcome("error", _where(phase) + "its results do not come back")
    problem = final.get("error")
    if isinstance(problem, Mapping):
        todo = records.get(exercise.todo.id, {}).get("error")
        return _failed(phase, problem, todo if isinstance(todo, Mapping) else None)
    if phase == "check":  # a check that does not pass raises
        return None
    return _hidden_text(exercise, [str(final.get(key, "")) for key in ("text", "own")])


def _failed(
    phase: str, problem: Mapping[str, object], todo: Mapping[str, object] | None
) -> ExerciseOutcome:
    """The outcome of a cell that raised ``problem``, after the todo cell raised ``todo``."""
    kind, text = str(problem.get("kind")), str(problem.get("text"))
    if kind == "NotImplementedError":
        return ExerciseOutcome(
            "not started", "raises NotImplementedError: nothing was written, or not all of it"
        )
    if kind in ("MemoryError", "OutputLimit"):
        what = "memory" if kind == "MemoryError" else "output"
        return ExerciseOutcome("limit", f"{_where(phase)}needs more {what} than allowed")
    if phase == "hidden":
        public_kind = kind if hasattr(builtins, kind) or kind == "CheckFailed" else "an error"
        return ExerciseOutcome("wrong", f"{_where(phase)}raises {public_kind}")
    if kind == "CheckFailed":
        return ExerciseOutcome("wrong", text)
    if todo is not None:
        return ExerciseOutcome("error", f"the TODO cell raises {todo.get('kind')}: {todo.get('text')}")
    return ExerciseOutcome("error", f"the check raises {kind}: {text}")


def _hidden_text(exercise: CodingExercise, texts: list[str]) -> ExerciseOutcome | None:
    """Whether the hidden cell printed what was recorded, with or without the answer's own prints."""
    info = cell_info(exercise.hidden)
    tolerance = Tolerance.of(info.rtol, info.atol)
    recorded = _recorded(exercise.hidden)
    if any(not differences(recorded, text, tolerance) for text in texts):
        return None
    return ExerciseOutcome(
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

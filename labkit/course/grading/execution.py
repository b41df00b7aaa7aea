"""Run a student's answers in a sandbox: each exercise alone, all visible checks before the hidden cells.

An exercise runs after the setup cell and after those other TODO cells that define a name it reads, and
no others, so one broken exercise does not cost another. Of the rest it gets only the imports that it
reads. All visible checks run before the first hidden
cell enters the sandbox, because their messages are shown to students.
"""

from __future__ import annotations

import builtins
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from labkit.course.grading.sandbox.box import Backend, Box, Overrun
from labkit.course.grading.sandbox.limits import Limits
from labkit.course.grading.sandbox.messages import Allowed, ExerciseRequest, Reply, Request
from labkit.course.grading.scoring import (
    RIGHT,
    CodingExercise,
    ExerciseOutcome,
    Phase,
    coding_exercises,
    outcome_of_reply,
)
from labkit.course.notebook.names import CellNames, cell_names
from labkit.course.notebook.structure import cell_info, cell_role
from labkit.course.release.strip import is_started

__all__ = ["ExerciseRunner", "SandboxConfig", "run_exercises"]

START_SECONDS = 600.0  # for the lab's own imports, on a busy machine
SPARE_SECONDS = 30.0
PHASES: tuple[Phase, ...] = ("check", "hidden")


@dataclass(frozen=True)
class SandboxConfig:
    """How sandboxes are made; ``concealed`` are folders that the code inside must not see."""

    backend: Backend
    limits: Limits = field(default_factory=Limits)
    concealed: tuple[Path, ...] = ()


def run_exercises(
    source: NotebookNode, answers: Mapping[str, str], sandbox: SandboxConfig
) -> dict[str, ExerciseOutcome]:
    """The outcome of every exercise whose TODO cell is in ``answers``.

    Args:
        source: the lab with solutions, as recorded.
        answers: the student's cells by the lab's cell ids.
        sandbox: where they run.

    Raises:
        RuntimeError: if the lab's own setup does not run in the sandbox.
    """
    with ExerciseRunner(source, sandbox) as runner:
        return runner.outcomes(answers)


class Needs(NamedTuple):
    """What an exercise reads of other exercises: those that it needs, and statements that import names."""

    exercises: list[CodingExercise]
    imports: list[str]


class ExerciseRunner:
    """A lab and its sandbox, which is started when needed and again after an exercise has broken it.

    One runner may try several sets of answers only if their authors trust each other.
    """

    def __init__(self, source: NotebookNode, sandbox: SandboxConfig) -> None:
        self.exercises, self.sandbox = coding_exercises(source), sandbox
        self.setup = [[cell.id, cell.source] for cell in source.cells if cell_role(cell) == "setup"]
        self.answers: Mapping[str, str] = {}
        self.box: Box | None = None
        self.used = False
        self.end = time.monotonic() + sandbox.limits.lab_s

    def __enter__(self) -> ExerciseRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def outcomes(self, answers: Mapping[str, str]) -> dict[str, ExerciseOutcome]:
        """The outcome of every exercise whose TODO cell is in ``answers``; see :func:`run_exercises`.

        The time that a lab may take counts from here, over all boxes that it needs.
        """
        self.answers = answers
        self.end = time.monotonic() + self.sandbox.limits.lab_s
        submitted = {
            name: exercise for name, exercise in self.exercises.items() if exercise.todo.id in answers
        }
        not_started = ExerciseOutcome(
            "not started", "the TODO cell is empty, or its NotImplementedError is still raised"
        )
        problems = {
            name: not_started
            for name, exercise in submitted.items()
            if not is_started(exercise.todo, answers[exercise.todo.id])
        }
        for phase in PHASES:
            for name in [name for name in submitted if name not in problems]:
                problem = self.run(phase, submitted[name], answers)
                if problem is not None:
                    problems[name] = problem
        return {name: self._explained(submitted[name], problems) for name in submitted}

    def run(
        self, phase: Phase, exercise: CodingExercise, answers: Mapping[str, str]
    ) -> ExerciseOutcome | None:
        """Run the check or the hidden cell of one exercise; None if the exercise passes."""
        self.answers = answers
        before, imports = self._needs(exercise)
        cell = exercise.cell(phase)
        seconds, cpu_s = self._seconds(cell)
        while True:
            cells = [["import", statement] for statement in imports]
            cells += [[other.todo.id, answers[other.todo.id]] for other in (*before, exercise)]
            request = self._request([*cells, [cell.id, cell.source]], seconds, cpu_s)
            try:
                reply = self._ask(request, seconds * (len(cells) + 1) + SPARE_SECONDS)
            except Overrun as overrun:
                return ExerciseOutcome("limit", str(overrun))
            culprit = _ended_in(reply)
            kept = [other for other in before if other.todo.id != culprit]
            if len(kept) == len(before):
                return outcome_of_reply(phase, exercise, reply, min(seconds, cpu_s))
            before = kept

    def _explained(
        self, exercise: CodingExercise, problems: Mapping[str, ExerciseOutcome]
    ) -> ExerciseOutcome:
        """The outcome of an exercise; if it is lost, the reason names those it needs that are not right."""
        outcome = problems.get(exercise.name, RIGHT)
        broken = [other.name for other in self._needs(exercise).exercises if other.name in problems]
        if outcome.status in ("right", "not started") or not broken:
            return outcome
        verb = "is" if len(broken) == 1 else "are"
        return outcome._replace(
            reason=f"it uses {', '.join(broken)}, which {verb} not right: {outcome.reason}"
        )

    def _needs(self, exercise: CodingExercise) -> Needs:
        """The other exercises that define a name which this one reads, directly or not, in order."""
        others = {
            name: other
            for name, other in self.exercises.items()
            if name != exercise.name and other.todo.id in self.answers
        }
        names = self._names(exercise)
        read = set(names.needs)
        for cell in (exercise.check, exercise.hidden):
            read |= (cell_names(cell.source) or CellNames()).needs - names.defines - set(names.imports)
        needed: set[str] = set()
        while True:
            fresh = {
                name for name, other in others.items() if name not in needed and read & self._defines(other)
            }
            if not fresh:
                break
            needed |= fresh
            read |= {name for other in fresh for name in self._names(others[other]).needs}
        from_setup = {
            name for _, source in self.setup for name in _bound(cell_names(source) or CellNames())
        }
        imports = {
            name: statement
            for other in others.values()
            for name, statement in self._names(other).imports.items()
            if name in read - from_setup and not hasattr(builtins, name)
        }
        return Needs([other for name, other in others.items() if name in needed], list(imports.values()))

    def _names(self, exercise: CodingExercise) -> CellNames:
        """The names of a student's answer; if it is not plain Python, those of the lab's solution."""
        answer = cell_names(self.answers[exercise.todo.id])
        return answer or cell_names(exercise.todo.source) or CellNames()

    def _defines(self, exercise: CodingExercise) -> frozenset[str]:
        """The names that the lab's or the student's version of an exercise defines."""
        return (cell_names(exercise.todo.source) or CellNames()).defines | self._names(exercise).defines

    def _seconds(self, cell: NotebookNode) -> tuple[float, int]:
        """The seconds and the processor seconds that a cell may take; its own ``timeout`` raises both."""
        limits, timeout = self.sandbox.limits, cell_info(cell).timeout_s
        if timeout is None:
            return limits.wall_s, limits.cpu_s
        return float(timeout), max(limits.cpu_s, math.ceil(timeout))

    def _request(self, cells: list[list[str]], seconds: float, cpu_s: int) -> ExerciseRequest:
        limits = self.sandbox.limits
        allowed = Allowed(
            cpu_s=cpu_s,
            wall_s=seconds,
            memory_bytes=limits.memory_bytes,
            file_bytes=limits.file_bytes,
            output_chars=limits.output_chars,
        )
        return {"cells": cells, "last": cells[-1][0], "limits": allowed}

    def _ask(self, request: Request, seconds: float) -> Reply:
        """The runner's reply; if an earlier exercise used the same box, a failure is tried again in a new one."""
        while True:
            box, retry = self._ready(), self.used
            self.used = True
            try:
                return box.ask(request, seconds)
            except Overrun:
                self._close()
                # subtle: a process that an earlier exercise left running may have ended the box.
                if not retry:
                    raise

    def _ready(self) -> Box:
        """The box in use, or a new one in which the setup has run."""
        left_s = self.end - time.monotonic()
        if left_s <= 0:
            self._close()
            raise Overrun(f"the {self.sandbox.limits.lab_s / 60:g} minutes for the whole lab are used up")
        if self.box is None:
            command = [sys.executable, "-I", "-m", "labkit.course.grading.sandbox.runner"]
            self.box = Box(
                command,
                backend=self.sandbox.backend,
                limits=replace(self.sandbox.limits, lab_s=left_s),
                concealed=self.sandbox.concealed,
            )
            self.used = False
            try:
                reply = self.box.ask({"setup": self.setup}, START_SECONDS)
            except Overrun as overrun:
                if time.monotonic() > self.end:
                    raise
                raise RuntimeError(f"the lab's setup does not run in the sandbox: {overrun}.") from overrun
            if not reply.get("ready"):
                raise RuntimeError(f"the lab's setup does not run in the sandbox: {reply.get('error')}.")
        return self.box

    def _close(self) -> None:
        if self.box is not None:
            self.box.close()
            self.box = None


def _bound(names: CellNames) -> set[str]:
    """The names that are there after a cell has run."""
    return {*names.defines, *names.imports}


def _ended_in(reply: Reply) -> str | None:
    """The id of the cell in which the process ended, if it did."""
    ended = reply.get("ended")
    return str(ended.get("cell")) if isinstance(ended, Mapping) else None

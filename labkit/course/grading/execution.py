"""Try a student's answers in a box: each exercise by itself, first the visible checks, then the hidden.

An exercise runs after the setup cell and those other todo cells whose names it uses, no more, so
that what one breaks is not another's loss. All visible checks come before the first hidden cell
enters the box: their messages are shown to students. Leaves out: what the results are worth
(:mod:`labkit.course.grading.scoring`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from labkit.course.grading.sandbox.box import Box, Limits, Overrun
from labkit.course.grading.scoring import RIGHT, Exercise, Outcome, coded, defined, judge, names
from labkit.course.notebook.structure import cell_info
from labkit.course.release.strip import stub

__all__ = ["SandboxConfig", "Trial", "attempt"]

START_SECONDS = 600.0  # for the lab's own imports, on a busy machine
SPARE_SECONDS = 30.0


@dataclass(frozen=True)
class SandboxConfig:
    """How boxes are made: ``bwrap`` or ``none``, their limits, folders to keep out of sight."""

    kind: str
    limits: Limits = field(default_factory=Limits)
    hidden: tuple[Path, ...] = ()


def attempt(reference: NotebookNode, sources: Mapping[str, str], box: SandboxConfig) -> dict[str, Outcome]:
    """How each exercise fared whose todo cell is in ``sources`` (by cell id).

    Raises:
        RuntimeError: if the lab's own setup does not run in the box.
    """
    with Trial(reference, box) as trial:
        return trial.outcomes(sources)


def _plain(exercise: Exercise, sources: Mapping[str, str]) -> Outcome | None:
    """The outcome of what need not be run."""
    source = sources[exercise.todo.id].strip()
    if not source:
        return Outcome("not started", "the TODO cell is empty")
    if source == stub(exercise.todo.source, exercise.name).strip():
        return Outcome("not started", "the TODO cell is as it was released")
    return None


class Trial:
    """A lab and the box in use, made when an exercise needs it and again when one has broken it.

    Several sets of answers can be tried in one, where those who wrote them trust each other.
    """

    def __init__(self, reference: NotebookNode, kind: SandboxConfig) -> None:
        self.lab, self.kind = coded(reference), kind
        self.setup = [
            [cell.id, cell.source] for cell in reference.cells if cell_info(cell).get("role") == "setup"
        ]
        self.sources: Mapping[str, str] = {}
        self.box: Box | None = None
        self.used = False

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def outcomes(self, sources: Mapping[str, str]) -> dict[str, Outcome]:
        """How each exercise fared whose todo cell is in ``sources``; see :func:`attempt`."""
        self.sources = sources
        given = {name: each for name, each in self.lab.items() if each.todo.id in sources}
        found = {name: problem for name, each in given.items() if (problem := _plain(each, sources))}
        for phase in ("check", "hidden"):
            for name in [name for name in given if name not in found]:
                problem = self.run(phase, given[name])
                if problem is not None:
                    found[name] = problem
        return {name: found.get(name, RIGHT) for name in given}

    def run(self, phase: str, exercise: Exercise) -> Outcome | None:
        """Run one exercise's check or hidden cell; None if it passes."""
        before = self._needs(exercise)
        seconds, cpu_s = self._seconds(exercise.cell(phase))
        while True:
            cells = [[other.todo.id, self.sources[other.todo.id]] for other in before]
            cells += [[exercise.todo.id, self.sources[exercise.todo.id]]]
            cell = exercise.cell(phase)
            request = self._request([*cells, [cell.id, cell.source]], seconds, cpu_s)
            try:
                reply = self._ask(request, seconds * (len(cells) + 1) + SPARE_SECONDS)
            except Overrun as overrun:
                return Outcome("limit", str(overrun))
            culprit = _ended_in(reply)
            kept = [other for other in before if other.todo.id != culprit]
            if len(kept) == len(before):
                return judge(phase, exercise, reply, min(seconds, cpu_s))
            before = kept

    def _needs(self, exercise: Exercise) -> list[Exercise]:
        """The other exercises whose names this one uses, directly or not, in order."""
        others = {
            name: other
            for name, other in self.lab.items()
            if name != exercise.name and other.todo.id in self.sources
        }
        used = names(self.sources[exercise.todo.id])
        for cell in (exercise.todo, exercise.check, exercise.hidden):
            used |= names(cell.source)
        needed: set[str] = set()
        while True:
            fresh = {
                name
                for name, other in others.items()
                if name not in needed and used & (defined(other.todo.source) | self._defined(other))
            }
            if not fresh:
                return [other for name, other in others.items() if name in needed]
            needed |= fresh
            used |= {name for key in fresh for name in names(self.sources[others[key].todo.id])}

    def _defined(self, exercise: Exercise) -> set[str]:
        return defined(self.sources[exercise.todo.id])

    def _seconds(self, cell: NotebookNode) -> tuple[float, int]:
        """The time a check or hidden cell may take, and the processor time; its ``timeout`` is in both."""
        limits, own = self.kind.limits, cell_info(cell).get("timeout")
        if own is None:
            return limits.wall_s, limits.cpu_s
        return float(own), max(limits.cpu_s, math.ceil(own))

    def _request(self, cells: Sequence[Sequence[str]], seconds: float, cpu_s: int) -> dict[str, Any]:
        limits = self.kind.limits
        allowed = {
            "cpu_s": cpu_s,
            "wall_s": seconds,
            "memory_bytes": limits.memory_bytes,
            "file_bytes": limits.file_bytes,
            "output_chars": limits.output_chars,
        }
        return {"cells": cells, "last": cells[-1][0], "limits": allowed}

    def _ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The runner's reply; a box that another exercise used before is given a second chance."""
        while True:
            box, again = self._ready(), self.used
            self.used = True
            try:
                return box.ask(request, seconds)
            except Overrun:
                self._close()
                # subtle: what an earlier exercise left running may have ended the box.
                if not again:
                    raise

    def _ready(self) -> Box:
        """The box in use, or a new one in which the setup has run."""
        if self.box is None:
            command = [sys.executable, "-I", "-m", "labkit.course.grading.sandbox.runner"]
            self.box = Box(command, kind=self.kind.kind, limits=self.kind.limits, hidden=self.kind.hidden)
            self.used = False
            try:
                reply = self.box.ask({"setup": self.setup}, START_SECONDS)
            except Overrun as overrun:
                raise RuntimeError(f"the lab's setup does not run in the sandbox: {overrun}.") from overrun
            if not reply.get("ready"):
                raise RuntimeError(f"the lab's setup does not run in the sandbox: {reply.get('error')}.")
        return self.box

    def _close(self) -> None:
        if self.box is not None:
            self.box.close()
            self.box = None


def _ended_in(reply: Mapping[str, Any]) -> str | None:
    """The id of the cell in which the process ended, if it did."""
    ended = reply.get("ended")
    return str(ended.get("cell")) if isinstance(ended, Mapping) else None

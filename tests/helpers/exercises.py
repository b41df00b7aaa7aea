"""The coding exercises of all labs, as tests run them: in a namespace as a student's kernel has it."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import settings
from labkit.course.notebook import structure
from labkit.course.notebook.comparison import Tolerance, differences

LABS = sorted((settings.home() / "labs").glob("[0-9][0-9]_*.ipynb"))
SOLUTION = re.compile(r"^[ \t]*### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION$", re.M | re.S)


@dataclass(frozen=True)
class Exercise:
    """The cells of one exercise, and what its todo cell needs to have run before it."""

    name: str
    before: tuple[str, ...]
    todo: str
    check: str
    check_output: str
    hidden: str
    hidden_output: str
    tolerance: Tolerance

    def differences(self, printed: str) -> list[str]:
        """Compare the hidden cell's output with the recorded one, as the nbval run does."""
        return differences(self.hidden_output, printed, self.tolerance)

    @property
    def stub(self) -> str:
        """The todo cell as a release has it."""
        indent = re.search(r"^([ \t]*)### BEGIN SOLUTION", self.todo, re.M)[1]
        return SOLUTION.sub(f'{indent}raise NotImplementedError("Exercise {self.name}")', self.todo)

    @property
    def is_true_or_false(self) -> bool:
        """Whether the exercise judges statements, so there is one right answer."""
        return "def concept_answers(" in self.todo

    def answers(self, namespace: dict[str, Any]) -> list[Callable[..., Any]]:
        """Return the functions that the check cell hands to the check."""
        answers: list[Callable[..., Any]] = []
        exec(self.check, namespace | {"check": lambda _, *functions, **__: answers.extend(functions)})
        return answers

    def namespace(self, answer: str) -> dict[str, Any]:
        """Run the setup cell, the other exercises' solutions and ``answer``, the source of a todo cell."""
        namespace: dict[str, Any] = {"__name__": "__main__"}
        with contextlib.redirect_stdout(io.StringIO()):
            for source in self.before:
                exec(source, namespace)
            exec(answer, namespace)
        return namespace

    def run_check(self, namespace: dict[str, Any]) -> str:
        """Run the check cell; return what it prints, or raise what it raises."""
        return _printed(self.check, namespace)

    def run_hidden(self, namespace: dict[str, Any]) -> str:
        """Run the hidden cell; return what it prints, or raise what it raises."""
        return _printed(self.hidden, namespace)


def _printed(source: str, namespace: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(source, namespace)
    return printed.getvalue()


def _exercises(path: Path) -> list[Exercise]:
    lab = structure.read_lab(path)
    coded = {name: cells for name, cells in structure.exercises(lab).items() if "todo" in cells}
    setup = [cell.source for cell in lab.cells if structure.cell_role(cell) == "setup"]
    result = []
    for name, cells in coded.items():
        others = [other["todo"].source for key, other in coded.items() if key != name]
        check, hidden = (
            (cells[role].source, "".join(output.get("text", "") for output in cells[role].outputs))
            for role in ("check", "hidden")
        )
        info = structure.cell_info(cells["hidden"])
        tolerance = Tolerance.of(info.rtol, info.atol)
        result.append(Exercise(name, (*setup, *others), cells["todo"].source, *check, *hidden, tolerance))
    return result


EXERCISES = {exercise.name: exercise for lab in LABS for exercise in _exercises(lab)}

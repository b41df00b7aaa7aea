"""Every exercise of every lab: the solution passes, the stub fails, at least three wrong answers fail.

A cell runs here as it would in a student's kernel: after the setup cell and the other exercises'
solutions. An answer is rejected if the visible check raises, or if the hidden cell raises or prints
something that differs from the recorded output by more than the cell's tolerance.
"""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from labkit import settings
from labkit.checks import CheckFailed
from labkit.course.notebook import structure
from labkit.course.notebook.comparison import DEFAULT, Tolerance, differences

pytestmark = pytest.mark.heavy

LABS = sorted((settings.home() / "labs").glob("[0-9][0-9]_*.ipynb"))
WRONG_ANSWERS = Path(__file__).parent / "wrong_answers"
SOLUTION = re.compile(r"^[ \t]*### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION$", re.M | re.S)


@dataclass(frozen=True)
class Exercise:
    """The cells of one exercise, and what its todo cell needs to have run before it."""

    name: str
    before: tuple[str, ...]
    todo: str
    check: str
    hidden: str
    hidden_output: str
    tolerance: Tolerance

    def differences(self, printed: str) -> list[str]:
        """How the hidden cell's output differs from the recorded one, as the nbval run sees it."""
        return differences(self.hidden_output, printed, self.tolerance)

    @property
    def stub(self) -> str:
        indent = re.search(r"^([ \t]*)### BEGIN SOLUTION", self.todo, re.M)[1]
        return SOLUTION.sub(f'{indent}raise NotImplementedError("Exercise {self.name}")', self.todo)


def _exercises(path: Path) -> list[Exercise]:
    lab = structure.read_lab(path)
    coded = {name: cells for name, cells in structure.exercises(lab).items() if "todo" in cells}
    setup = [cell.source for cell in lab.cells if structure.cell_info(cell)["role"] == "setup"]
    found = []
    for name, cells in coded.items():
        others = [other["todo"].source for key, other in coded.items() if key != name]
        recorded = "".join(output.get("text", "") for output in cells["hidden"].outputs)
        sources = [cells[role].source for role in ("todo", "check", "hidden")]
        labels = structure.cell_info(cells["hidden"])
        tolerance = Tolerance(labels.get("rtol", DEFAULT.rtol), labels.get("atol", DEFAULT.atol))
        found.append(Exercise(name, (*setup, *others), *sources, recorded, tolerance))
    return found


EXERCISES = {exercise.name: exercise for lab in LABS for exercise in _exercises(lab)}
WRONG = sorted(WRONG_ANSWERS.glob("*/*.py"))


def _namespace(exercise: Exercise, answer: str) -> dict[str, object]:
    namespace: dict[str, object] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for source in exercise.before:
            exec(source, namespace)
        exec(answer, namespace)
    return namespace


def _check_failure(exercise: Exercise, namespace: dict[str, object]) -> CheckFailed | None:
    """What the visible check says against the answer in ``namespace``; None if it passes."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(exercise.check, namespace)
    except CheckFailed as failure:
        return failure
    return None


def _hidden_output(exercise: Exercise, namespace: dict[str, object]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(exercise.hidden, namespace)
    return printed.getvalue()


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_passes_its_check_and_prints_what_was_recorded(name, capsys):
    exercise = EXERCISES[name]
    namespace = _namespace(exercise, exercise.todo)
    exec(exercise.check, namespace)
    assert re.fullmatch(rf"{re.escape(name)} ok \(\d+ cases\)\n", capsys.readouterr().out)
    assert exercise.differences(_hidden_output(exercise, namespace)) == []


@pytest.mark.parametrize("name", EXERCISES)
def test_the_stub_fails_and_names_its_exercise(name):
    exercise = EXERCISES[name]
    namespace = _namespace(exercise, exercise.stub)
    with pytest.raises(NotImplementedError, match=re.escape(f"Exercise {name}")):
        exec(exercise.check, namespace)


@pytest.mark.parametrize("path", WRONG, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_wrong_answer_is_rejected_by_the_check_or_the_hidden_cell(path):
    exercise = EXERCISES[path.parent.name]
    namespace = _namespace(exercise, path.read_text(encoding="utf-8"))
    failure = _check_failure(exercise, namespace)
    if failure is not None:
        assert f"{exercise.name} is not right yet" in str(failure)
        assert "hint:" in str(failure)
        return
    try:
        printed = _hidden_output(exercise, namespace)
    except Exception:
        return
    assert exercise.differences(printed), "accepted by both"


def test_every_exercise_has_at_least_three_wrong_answers():
    counts = {name: sum(path.parent.name == name for path in WRONG) for name in EXERCISES}
    assert {name: count for name, count in counts.items() if count < 3} == {}
    assert EXERCISES


def test_most_wrong_answers_are_already_explained_by_the_visible_check():
    # A student should learn of a mistake while working; hidden cells are for what slips through.
    explained = 0
    for path in WRONG:
        exercise = EXERCISES[path.parent.name]
        namespace = _namespace(exercise, path.read_text(encoding="utf-8"))
        explained += _check_failure(exercise, namespace) is not None
    assert explained >= 0.7 * len(WRONG)


def test_no_lab_is_missing_a_check_module():
    for lab in LABS:
        number = lab.name[:2]
        assert (settings.home() / "labkit/checks" / f"lab{number}.py").is_file()

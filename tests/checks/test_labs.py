"""Every exercise of every lab: right answers pass, the stub and wrong answers fail.

A cell runs here as it would in a student's kernel: after the setup cell and the other exercises'
solutions. An answer is rejected if the visible check raises, or if the hidden cell raises or prints
something that differs from the recorded output by more than the cell's tolerance. The stub is built here
and not by the release, so that each checks the other.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from exercises import EXERCISES, LABS, Exercise

from labkit.checks import CheckFailed

pytestmark = pytest.mark.heavy

WRONG = sorted((Path(__file__).parent / "wrong_answers").glob("*/*.py"))
RIGHT = sorted((Path(__file__).parent / "right_answers").glob("*/*.py"))


def _name(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def _check_failure(exercise: Exercise, namespace: dict[str, object]) -> CheckFailed | None:
    """Return the visible check's failure for the answer in ``namespace``; None if it passes."""
    try:
        exercise.run_check(namespace)
    except CheckFailed as failure:
        return failure
    return None


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_passes_its_check_and_both_cells_print_what_was_recorded(name):
    exercise = EXERCISES[name]
    namespace = exercise.namespace(exercise.todo)
    assert exercise.run_check(namespace) == exercise.check_output
    assert re.fullmatch(rf"{re.escape(name)} ok \(\d+ cases\)\n", exercise.check_output)
    assert exercise.differences(exercise.run_hidden(namespace)) == []


@pytest.mark.filterwarnings("ignore")  # a warning of a library does not make an answer wrong
@pytest.mark.parametrize("path", RIGHT, ids=_name)
def test_an_unusual_right_answer_is_accepted_by_the_check_and_the_hidden_cell(path):
    exercise = EXERCISES[path.parent.name]
    namespace = exercise.namespace(path.read_text(encoding="utf-8"))
    exercise.run_check(namespace)
    assert exercise.differences(exercise.run_hidden(namespace)) == []


@pytest.mark.parametrize("name", EXERCISES)
def test_the_stub_fails_and_names_its_exercise(name):
    exercise = EXERCISES[name]
    namespace = exercise.namespace(exercise.stub)
    with pytest.raises(NotImplementedError, match=re.escape(f"Exercise {name}")):
        exercise.run_check(namespace)


@pytest.mark.parametrize("path", WRONG, ids=_name)
def test_a_wrong_answer_is_rejected_by_the_check_or_the_hidden_cell(path):
    exercise = EXERCISES[path.parent.name]
    namespace = exercise.namespace(path.read_text(encoding="utf-8"))
    failure = _check_failure(exercise, namespace)
    if failure is not None:
        assert f"{exercise.name} is not right yet" in str(failure)
        assert "hint:" in str(failure)
        return
    try:
        printed = exercise.run_hidden(namespace)
    except Exception:
        return
    assert exercise.differences(printed), "accepted by both the check and the hidden cell"


@pytest.mark.parametrize("name", ["kth_value_threshold", "quantile_threshold"])
def test_a_threshold_in_the_place_of_a_ranking_is_told_about_equal_magnitudes(name):
    exercise = EXERCISES["02.1"]
    source = (Path(__file__).parent / "wrong_answers" / "02.1" / f"{name}.py").read_text(encoding="utf-8")
    message = str(_check_failure(exercise, exercise.namespace(source)))
    assert "weights share the magnitude" in message
    assert "stable" not in message
    assert 'hint("02.1")' in message


@pytest.mark.parametrize("paths", [WRONG, RIGHT], ids=["wrong", "right"])
def test_every_exercise_has_at_least_three_wrong_and_three_unusual_right_answers(paths):
    names = [name for name in EXERCISES if paths is WRONG or not EXERCISES[name].is_true_or_false]
    counts = {name: sum(path.parent.name == name for path in paths) for name in names}
    assert {name: count for name, count in counts.items() if count < 3} == {}
    assert counts


def test_most_wrong_answers_are_already_explained_by_the_visible_check():
    # A student should learn of a mistake while working; hidden cells catch what the check misses.
    explained = 0
    for path in WRONG:
        exercise = EXERCISES[path.parent.name]
        namespace = exercise.namespace(path.read_text(encoding="utf-8"))
        explained += _check_failure(exercise, namespace) is not None
    assert explained >= 0.7 * len(WRONG)


def test_every_lab_has_a_check_for_each_exercise_and_second_hints_only_for_these():
    for lab in LABS:
        module = importlib.import_module(f"labkit.checks.lab{lab.name[:2]}")
        assert set(module.CASES) == {name for name in EXERCISES if name[:2] == lab.name[:2]}
        assert set(getattr(module, "HINTS", {})) <= set(module.CASES)

import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.checks import expect as expect_module
from labkit.checks.expect import CheckFailed, Expect, check

WHERE = {"given": "w = [1, 2]", "hint": "Which one is smaller?"}


@pytest.fixture
def expect():
    return Expect("99.1")


@pytest.fixture
def lab(monkeypatch):
    """A lab 99 with one exercise: double a number."""

    def cases(expect, double):
        for number in (0, 1, -2.5):
            value = expect.call(double, number, given=f"x = {number}", hint="2·x")
            expect.close(value, 2 * number, given=f"x = {number}", hint="Add it to itself.")

    module = types.ModuleType("labkit.checks.lab99")
    module.CASES = {"99.1": cases}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(sys.modules["labkit.checks"], "lab99", module, raising=False)


def message_of(call):
    with pytest.raises(CheckFailed) as caught:
        call()
    return str(caught.value)


# check


@pytest.mark.usefixtures("lab")
def test_a_right_answer_is_told_with_the_number_of_cases(capsys):
    check("99.1", lambda x: x + x)
    assert capsys.readouterr().out == "99.1 ok (3 cases)\n"


@pytest.mark.usefixtures("lab")
def test_a_wrong_answer_is_explained_by_input_expected_got_and_hint(capsys):
    assert message_of(lambda: check("99.1", lambda x: x**2 + x)) == (
        "99.1 is not right yet.\n"
        "  input:    x = -2.5\n  expected: -5.0\n  got:      3.75\n  hint:     Add it to itself."
    )
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("lab")
def test_an_exercise_that_was_not_begun_is_not_called_wrong():
    def stub(x):
        raise NotImplementedError("Exercise 99.1")

    with pytest.raises(NotImplementedError, match=r"Exercise 99\.1"):
        check("99.1", stub)


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("exercise", ["99.2", "98.1", "", "99", "nonsense"])
def test_an_exercise_that_does_not_exist_is_named(exercise):
    with pytest.raises(ValueError, match=f"no check for exercise '{exercise}'"):
        check(exercise, abs)


# call


def test_an_exception_in_an_answer_is_explained_and_kept_as_the_cause(expect):
    with pytest.raises(CheckFailed, match="got:      ZeroDivisionError: division by zero") as caught:
        expect.call(lambda x: x / 0, 1, **WHERE)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "input:    w = [1, 2]" in str(caught.value)
    assert "hint:     Which one is smaller?" in str(caught.value)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_passes_through(expect, error):
    def interrupted():
        raise error

    with pytest.raises(error):
        expect.call(interrupted, **WHERE)


# close


@pytest.mark.parametrize(
    "got",
    [
        [1.0, 2.0],
        (1, 2),
        np.float32([1, 2]),
        torch.tensor([1.0, 2.0], requires_grad=True),
        torch.tensor([1, 2]),
        [1.0, 2.0 + 1e-10],
    ],
)
def test_a_value_of_any_numeric_kind_within_tolerance_counts_as_a_case(expect, got):
    expect.close(got, [1.0, 2.0], **WHERE)
    expect.close([1.0, 2.0], got, **WHERE)
    assert expect.count == 2


@pytest.mark.parametrize(
    ("got", "shown"),
    [
        ([1.0, 2.1], r"\[1\. , 2\.1\]"),
        ([1.0, float("nan")], "nan"),
        ([1.0, float("inf")], "inf"),
        ([1.0], r"shape \(1,\)"),
        ([[1.0, 2.0]], r"shape \(1, 2\)"),
        (1.0, r"shape \(\)"),
        (None, "NoneType None"),
        ("12", "str '12'"),
        (["1", "2"], r"list \['1', '2'\]"),
        ([[1], [1, 2]], r"list \[\[1\], \[1, 2\]\]"),
        ({"a": 1}, "dict {'a': 1}"),
        (abs, "built-in function abs"),
    ],
)
def test_anything_else_than_the_expected_numbers_fails_with_what_was_got(expect, got, shown):
    with pytest.raises(CheckFailed, match=f"got: .*{shown}"):
        expect.close(got, [1.0, 2.0], **WHERE)
    assert expect.count == 0


@settings(deadline=None, derandomize=True)
@given(value=st.floats(-1e6, 1e6), error=st.floats(-1, 1))
def test_tolerances_are_numpys_absolute_plus_relative(value, error):
    def passes():
        try:
            Expect("99.1").close(value + error, value, atol=0.5, rtol=0.0, **WHERE)
        except CheckFailed:
            return False
        return True

    assert passes() is bool(abs((value + error) - value) <= 0.5)


# equal and true


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (3, 3),
        ("layer", "layer"),
        ([True, False], torch.tensor([True, False])),
        (np.eye(2), [[1, 0], [0, 1]]),
        ({"a": 1}, {"a": 1}),
        ([], []),
        (None, None),
    ],
)
def test_equal_values_count_as_a_case(expect, got, expected):
    expect.equal(got, expected, **WHERE)
    assert expect.count == 1


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (3, 4),
        (3 + 1e-12, 3),
        ("layer", "global"),
        ("3", 3),
        ([1, 2], [1]),
        ([[1]], [1]),
        ({"a": 1}, {"a": 2}),
        (None, 0),
        ([], 0),
        (float("nan"), float("nan")),
    ],
)
def test_values_that_differ_at_all_fail(expect, got, expected):
    message_of(lambda: expect.equal(got, expected, **WHERE))
    assert expect.count == 0


def test_a_property_holds_or_is_told_in_words(expect):
    expect.true(True, expected="a finite loss", got=1.0, **WHERE)
    assert expect.count == 1
    message = message_of(lambda: expect.true(False, expected="a finite loss", got=float("inf"), **WHERE))
    assert "expected: a finite loss\n  got:      inf" in message


def test_of_a_large_array_the_first_entry_that_differs_is_shown(expect):
    wanted = np.arange(100.0).reshape(10, 10)
    got = torch.from_numpy(wanted).clone()
    got[3, 4] = got[7, 7] = -1
    for compare in (expect.close, expect.equal):
        message = message_of(lambda compare=compare: compare(got, wanted, **WHERE))
        assert "expected: 34.0 at index [3, 4] of shape (10, 10)" in message
        assert "got:      -1.0 there; 2 of 100 entries differ" in message


def test_large_values_are_shown_by_shape_and_long_ones_are_cut(expect):
    message = message_of(lambda: expect.true(False, expected="ones", got=torch.zeros(100, 2), **WHERE))
    assert "got:      an array of shape (100, 2), 0 of 200 not 0" in message
    message = message_of(lambda: expect.equal("x" * 10_000, "y", **WHERE))
    assert len(message) < 600


def test_the_public_names_are_what_labs_and_checks_use():
    assert set(expect_module.__all__) == {"CheckFailed", "Expect", "check"}
    assert issubclass(CheckFailed, AssertionError)

import sys
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.checks import expect as expect_module
from labkit.checks.expect import CheckFailed, Expect, NotStarted, check, hint

HINT = "Which one is smaller?"


@pytest.fixture
def case():
    return Expect("99.1").given("w = [1, 2]")


@pytest.fixture
def lab(monkeypatch):
    """A lab 99 with one exercise: double a number."""

    def cases(expect, double):
        for number in (0, 1, -2.5):
            case = expect.given(f"x = {number}")
            value = case.call(double, number, hint="2·x")
            case.close(value, 2 * number, hint="Add it to itself.")

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
def test_a_right_answer_prints_the_number_of_cases(capsys):
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
def test_an_exercise_that_was_not_started_is_not_called_wrong():
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


def test_an_exception_in_an_answer_is_explained_and_kept_as_the_cause(case):
    with pytest.raises(
        CheckFailed, match="got:      your code raised ZeroDivisionError: division by zero"
    ) as caught:
        case.call(lambda x: x / 0, 1, hint=HINT)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "input:    w = [1, 2]" in str(caught.value)
    assert "hint:     Which one is smaller?" in str(caught.value)


def test_none_is_told_apart_from_other_values(case):
    message = message_of(lambda: case.call({}.get, 1, hint=HINT))
    assert "expected: a value\n  got:      None, as from a function without return" in message


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_passes_through(case, error):
    def interrupted():
        raise error

    with pytest.raises(error):
        case.call(interrupted, hint=HINT)


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
def test_a_value_of_any_numeric_kind_within_tolerance_counts_as_a_case(case, got):
    case.close(got, [1.0, 2.0], hint=HINT)
    case.close([1.0, 2.0], got, hint=HINT)
    assert case.expect.count == 2


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
def test_anything_other_than_the_expected_numbers_fails_with_what_was_got(case, got, shown):
    with pytest.raises(CheckFailed, match=f"got: .*{shown}"):
        case.close(got, [1.0, 2.0], hint=HINT)
    assert case.expect.count == 0


@settings(deadline=None, derandomize=True)
@given(value=st.floats(-1e6, 1e6), error=st.floats(-1, 1))
def test_tolerances_are_numpys_absolute_plus_relative(value, error):
    def passes():
        try:
            Expect("99.1").given("x").close(value + error, value, atol=0.5, rtol=0.0, hint=HINT)
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
def test_equal_values_count_as_a_case(case, got, expected):
    case.equal(got, expected, hint=HINT)
    assert case.expect.count == 1


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
def test_values_that_differ_at_all_fail(case, got, expected):
    message_of(lambda: case.equal(got, expected, hint=HINT))
    assert case.expect.count == 0


def test_a_property_that_does_not_hold_is_explained_in_words(case):
    case.true(True, expected="a finite loss", got=1.0, hint=HINT)
    assert case.expect.count == 1
    message = message_of(lambda: case.true(False, expected="a finite loss", got=float("inf"), hint=HINT))
    assert "expected: a finite loss\n  got:      inf" in message


def test_cases_on_several_inputs_are_counted_together_and_named_apart():
    expect = Expect("99.1")
    first = expect.given("x = 1")
    first.equal(1, 1, hint=HINT)
    first.given(f"the square for {first}").equal(1, 1, hint=HINT)
    assert expect.count == 2
    message = message_of(lambda: first.given(f"the square for {first}").equal(1, 2, hint=HINT))
    assert "input:    the square for x = 1\n" in message


# raises


def _raising(error):
    def answer(*_):
        raise error

    return answer


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ValueError, ValueError("no")),
        (ValueError, UnicodeError("a subclass")),
        (KeyboardInterrupt, KeyboardInterrupt()),
    ],
)
def test_the_expected_error_counts_as_a_case(case, error, raised):
    case.raises(error, _raising(raised), 1, hint=HINT)
    assert case.expect.count == 1


@pytest.mark.parametrize(
    ("answer", "got"),
    [(lambda x: [x], "[1]"), (_raising(KeyError("k")), "your code raised KeyError: 'k'"), (abs, "1")],
)
def test_a_value_or_another_error_fails_and_is_shown(case, answer, got):
    message = message_of(lambda: case.raises(ValueError, answer, 1, hint=HINT))
    assert f"expected: ValueError\n  got:      {got}\n" in message
    assert case.expect.count == 0


def test_an_exercise_that_was_not_started_raises_its_own_error_even_where_one_is_expected(case):
    with pytest.raises(NotImplementedError):
        case.raises(RuntimeError, _raising(NotImplementedError("Exercise 99.1")), hint=HINT)


# large values


def test_of_a_large_array_the_first_entry_that_differs_is_shown(case):
    expected = np.arange(100.0).reshape(10, 10)
    got = torch.from_numpy(expected).clone()
    got[3, 4] = got[7, 7] = -1
    for compare in (case.close, case.equal):
        message = message_of(lambda compare=compare: compare(got, expected, hint=HINT))
        assert "expected: 34.0 at index [3, 4] of shape (10, 10)" in message
        assert "got:      -1.0 there; 2 of 100 entries differ" in message


def test_large_values_are_shown_by_shape_and_long_ones_are_cut(case):
    message = message_of(lambda: case.true(False, expected="ones", got=torch.zeros(100, 2), hint=HINT))
    assert "got:      an array of shape (100, 2), 0 of 200 not 0" in message
    message = message_of(lambda: case.equal("x" * 10_000, "y", hint=HINT))
    assert len(message) < 600


def test_the_public_names_are_what_labs_and_checks_use():
    assert set(expect_module.__all__) == {"Case", "CheckFailed", "Expect", "NotStarted", "check", "hint"}
    assert issubclass(CheckFailed, AssertionError)


def _shown_by_ipython(error):
    """What a notebook shows of an error: its `_render_traceback_`, which IPython calls."""
    return "\n".join(error._render_traceback_())


def test_a_notebook_shows_the_message_alone_with_the_line_of_the_students_cell():
    namespace = {"__name__": "__main__"}
    exec(compile("def f(x):\n    y = x\n    return z", "<cell 3>", "exec"), namespace)
    with pytest.raises(CheckFailed) as caught:
        Expect("01.1").given("x = 1").call(namespace["f"], 1, hint="return a number")
    shown = _shown_by_ipython(caught.value)
    assert shown.splitlines()[0] == "01.1 is not right yet."
    assert "your code raised NameError: name 'z' is not defined (line 3 of your cell)" in shown
    assert "labkit" not in shown


def test_an_exercise_that_is_not_started_says_so_in_one_line():
    def stub(*_):
        raise NotImplementedError("Exercise 01.2")

    with pytest.raises(NotStarted) as caught:
        check("01.2", stub)
    assert _shown_by_ipython(caught.value) == (
        "Exercise 01.2 is not started: replace the line that raises NotImplementedError."
    )
    with pytest.raises(NotStarted, match=r"It is needed by exercise 01\.4"):
        check("01.4", stub)


def test_another_not_implemented_error_of_an_answer_is_explained_like_any_error():
    def unsupported(*_):
        raise NotImplementedError("no kernel for this dtype")

    with pytest.raises(CheckFailed, match="your code raised NotImplementedError: no kernel for this dtype"):
        check("01.2", unsupported)
    message = message_of(lambda: Expect("99.1").given("x").raises(ValueError, unsupported, hint=HINT))
    assert "your code raised NotImplementedError: no kernel" in message


def test_an_error_in_a_function_of_another_cell_tells_the_line_of_the_call_and_the_function():
    namespace = {"__name__": "__main__"}
    exec(compile("def helper(x):\n    return 1 / x", "<cell 2>", "exec"), namespace)
    exec(compile("def answer(x):\n    y = 0\n    return helper(y)", "<cell 3>", "exec"), namespace)
    message = message_of(lambda: Expect("99.1").given("x = 1").call(namespace["answer"], 1, hint=HINT))
    assert "(line 3 of your cell, which calls helper of another cell)" in message


@pytest.mark.usefixtures("lab")
def test_an_error_of_the_check_itself_is_told_as_a_value_that_it_cannot_use():
    def cases(expect, answer):
        got = expect.given("x = 1").call(answer, 1, hint=HINT)
        expect.latest.close(got.sum(), 1, hint=HINT)

    sys.modules["labkit.checks.lab99"].CASES["99.1"] = cases
    message = message_of(lambda: check("99.1", str))
    assert "input:    x = 1\n" in message
    assert "a value that the check cannot use (AttributeError" in message
    assert "docstring" in message


# hint


@pytest.mark.usefixtures("lab")
def test_a_failing_check_names_the_second_hint_only_where_there_is_one(monkeypatch, capsys):
    assert "more:" not in message_of(lambda: check("99.1", abs))
    monkeypatch.setattr(sys.modules["labkit.checks.lab99"], "HINTS", {"99.1": "Use +."}, raising=False)
    message = message_of(lambda: check("99.1", abs))
    command = message.partition("  more:     ")[2]
    assert command == 'from labkit.checks import hint; hint("99.1")'
    assert "Use +." not in message
    exec(command, {})
    assert capsys.readouterr().out == "99.1: Use +.\n"


def test_a_hint_for_an_exercise_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"no check for exercise '02\.99'"):
        hint("02.99")

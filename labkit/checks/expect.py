"""The machinery of a check: count the cases of an exercise and explain the first one that fails."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from labkit.checks.needed import explain_needs
from labkit.checks.own_work import borrowed, public_path
from labkit.environment import keep_random_state
from labkit.error_names import needed_exercise, public_name

__all__ = ["Case", "CheckFailed", "Expect", "NotStarted", "check", "hint"]

SHOWN_ENTRIES = 24  # a message shows arrays of up to this size in full


class CheckFailed(AssertionError):
    """An answer differs from what was expected; the message gives the input, the difference and a hint."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback: the message, without labkit's own code."""
        return str(self).splitlines()


class NotStarted(NotImplementedError):
    """An exercise, or another one that it needs, still raises the error of its stub."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback."""
        return [str(self)]


def check(exercise: str, *answers: Callable[..., Any], uses: Collection[object] = ()) -> None:
    """Run the visible cases of ``exercise`` against ``answers`` and print the verdict.

    Args:
        exercise: an id such as ``"02.1"``.
        answers: the function or functions the exercise asks for.
        uses: the functions, classes and modules of labkit that the answers may call.

    Raises:
        CheckFailed: if an answer uses anything else of labkit, and at the first case that fails, with
            input, expected, got and a hint.
        NotStarted: if the answer, or another exercise that it calls, still raises its stub's error.
        ValueError: if there is no such exercise.
    """
    module = _lab_module(exercise)
    expect = Expect(exercise, more=exercise in getattr(module, "HINTS", {}))
    _require_own_work(exercise, answers, sys._getframe(1).f_globals["__name__"], uses)
    try:
        with keep_random_state():
            module.CASES[exercise](expect, *answers)
    except CheckFailed:
        raise
    except Exception as error:
        name = _not_started(error)
        if name is None:
            raise expect.latest.unusable(error) from error
        needed = "" if name == exercise else f" It is needed by exercise {exercise}."
        advice = "replace the line that raises NotImplementedError."
        explain_needs()  # the cells below may need it too
        raise NotStarted(f"Exercise {name} is not started: {advice}{needed}") from error
    print(f"{exercise} ok ({expect.count} cases)")  # noqa: T201


def _require_own_work(
    exercise: str,
    answers: Collection[Callable[..., Any]],
    notebook: str,
    uses: Collection[object],
) -> None:
    """Raise CheckFailed if an answer leaves to labkit what the exercise asks the student to write."""
    names = sorted({name for answer in answers for name in borrowed(answer, notebook, uses)})
    if names:
        permitted = ", ".join(map(public_path, uses)) or "nothing"
        raise CheckFailed(
            f"{exercise} uses {', '.join(names)}, and asks you to write it yourself.\n"
            f"  You may read labkit's code. Your answer may call of labkit: {permitted}."
        )


def hint(exercise: str) -> None:
    """Print the second hint of ``exercise``, which says more than the check does when it fails.

    Raises:
        ValueError: if there is no such exercise.

    >>> hint("01.6")
    01.6 has no hint beside those that its check gives.
    """
    hints: Mapping[str, str] = getattr(_lab_module(exercise), "HINTS", {})
    text = hints.get(exercise)
    print(f"{exercise}: {text}" if text else f"{exercise} has no hint beside those that its check gives.")  # noqa: T201


class Expect:
    """Counts the cases of one exercise; :meth:`given` starts the cases on one input."""

    def __init__(self, exercise: str, *, more: bool = False) -> None:
        """``more`` says that :func:`hint` knows a second hint."""
        self.exercise = exercise
        self.count = 0
        self.more = more
        self.latest = Case(self, "the arguments of the check")

    def given(self, text: str) -> Case:
        """Return the object that checks an answer on the input that ``text`` describes."""
        self.latest = Case(self, text)
        return self.latest

    def verdicts(self, answer: Callable[..., Any], statements: Collection[str]) -> None:
        """Check that ``answer`` returns True or False for each statement; do not tell which is right."""
        case = self.given("concept_answers()")
        got = case.call(answer, hint="return a dict from statement to True or False")
        case.keys(got, statements, hint="one entry per statement, and no others")
        for key in statements:
            hint = "write it without quotation marks"
            form = f"True or False for {key!r}"
            case.true(isinstance(got[key], bool), expected=form, got=got[key], hint=hint)


@dataclass(frozen=True)
class Case:
    """Checks an answer on one input; as a string it is the input's description."""

    expect: Expect
    text: str

    def __str__(self) -> str:
        return self.text

    def given(self, text: str) -> Case:
        """Return the case for another description, such as one part of the answer."""
        return self.expect.given(text)

    def call(self, answer: Callable[..., Any], *inputs: Any, hint: str) -> Any:
        """Return ``answer(*inputs)``; explain None, and an exception instead of passing it on.

        The error of a stub passes through: the exercise has not been started.
        """
        try:
            value = answer(*inputs)
        except Exception as error:
            if _not_started(error):
                raise
            text = f"your code raised {public_name(error)}: {error}{_place_of(error)}"
            raise self._failure("a value", text, hint) from error
        if value is None:
            raise self._failure("a value", "None, as from a function without return", hint)
        return value

    def raises(
        self, error: type[BaseException], answer: Callable[..., Any], *inputs: Any, hint: str
    ) -> None:
        """Count one case: ``answer(*inputs)`` raises ``error``.

        The error of a stub passes through: the exercise has not been started.
        """
        try:
            got = _show(answer(*inputs))
        except BaseException as raised:
            if _not_started(raised) or not isinstance(raised, error | Exception):
                raise
            if isinstance(raised, error):
                self.expect.count += 1
                return
            got = f"your code raised {public_name(raised)}: {raised}{_place_of(raised)}"
        raise self._failure(error.__name__, got, hint)

    def close(self, got: Any, expected: Any, *, hint: str, atol: float = 1e-9, rtol: float = 1e-7) -> None:
        """Count one case: ``got`` has the shape of ``expected`` and the same numbers within tolerance."""
        actual, target = _as_array(got), np.asarray(_as_array(expected))
        if actual is None or actual.dtype.kind not in "biufc":
            raise self._failure(_show(expected), f"{type(got).__name__} {_show(got)}", hint)
        if actual.shape != target.shape:
            raise self._failure(f"shape {target.shape}", f"shape {actual.shape}", hint)
        same = np.isclose(actual, target, atol=atol, rtol=rtol)
        if not same.all():
            raise self._failure(*_show_difference(got, expected, same), hint)
        self.expect.count += 1

    def equal(self, got: Any, expected: Any, *, hint: str) -> None:
        """Count one case: ``got`` equals ``expected`` exactly, shape included."""
        actual, target = _as_array(got), np.asarray(_as_array(expected))
        if actual is None or actual.shape != target.shape:
            raise self._failure(_show(expected), _show(got), hint)
        same = np.asarray(actual == target)
        if not same.all():
            raise self._failure(*_show_difference(got, expected, same), hint)
        self.expect.count += 1

    def true(self, condition: bool, *, expected: str, got: Any, hint: str) -> None:
        """Count one case: a property holds; ``expected`` says in words which one."""
        if not condition:
            raise self._failure(expected, _show(got), hint)
        self.expect.count += 1

    def keys(
        self, got: Any, keys: Collection[str], *, hint: str = "one entry per name, and no others"
    ) -> None:
        """Count one case: ``got`` is a dict with exactly these keys."""
        names = list(got) if isinstance(got, Mapping) else type(got).__name__
        fits = isinstance(got, Mapping) and sorted(map(str, got)) == sorted(keys)
        self.true(fits, expected=f"a dict with the keys {', '.join(keys)}", got=names, hint=hint)

    def unusable(self, error: Exception) -> CheckFailed:
        """Return the failure of a check that cannot use what the answer returned."""
        text, place = f"{public_name(error)}: {error}", _place_of(error)
        got = f"your code raised {text}{place}" if place else f"a value that the check cannot use ({text})"
        hint = "compare the type and the shape of what you return with the docstring"
        return self._failure("a value as the docstring describes it", got, hint)

    def _failure(self, expected: str, got: str, hint: str) -> CheckFailed:
        name = self.expect.exercise
        more = f'\n  more:     from labkit.checks import hint; hint("{name}")' if self.expect.more else ""
        return CheckFailed(
            f"{name} is not right yet.\n"
            f"  input:    {self.text}\n  expected: {expected}\n  got:      {got}\n  hint:     {hint}{more}"
        )


def _lab_module(exercise: str) -> ModuleType:
    """Return the module that checks ``exercise``."""
    lab, _, _ = exercise.partition(".")
    try:
        module = importlib.import_module(f"labkit.checks.lab{lab}")
        module.CASES[exercise]
    except (ImportError, KeyError) as error:
        raise ValueError(f"there is no check for exercise {exercise!r}; see the cell's own id.") from error
    return module


def _not_started(error: BaseException) -> str | None:
    """Return the exercise whose stub raised the error, if a stub did."""
    return needed_exercise(type(error).__name__, str(error))


def _place_of(error: BaseException) -> str:
    """Tell the line of the student's cell at which an error was raised; an empty text if it is unknown."""
    cells = [
        (frame.f_code, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") == "__main__"
    ]
    if not cells:
        return ""
    lines = [line for code, line in cells if code.co_filename == cells[0][0].co_filename]
    elsewhere = [code.co_name for code, _ in cells if code.co_filename != cells[0][0].co_filename]
    called = f", which calls {elsewhere[0]} of another cell" if elsewhere else ""
    return f" (line {lines[-1]} of your cell{called})"


def _as_array(value: Any) -> np.ndarray | None:
    """Return ``value`` (number, sequence, array or tensor) as an array; None if it is none of these."""
    try:
        detached = value.detach().cpu() if hasattr(value, "detach") else value
        return np.asarray(detached)
    except (TypeError, ValueError):
        return None


def _show_difference(got: Any, expected: Any, same: np.ndarray) -> tuple[str, str]:
    """Describe what was expected and got; of large arrays only the first entry that differs."""
    if same.size <= SHOWN_ENTRIES:
        return _show(expected), _show(got)
    actual, target = np.asarray(_as_array(got)), np.asarray(_as_array(expected))
    index = tuple(int(i) for i in np.argwhere(~same)[0])
    position = ", ".join(map(str, index))
    return (
        f"{target[index]!s} at index [{position}] of shape {target.shape}",
        f"{actual[index]!s} there; {int((~same).sum())} of {same.size} entries differ",
    )


def _show(value: Any) -> str:
    """Format a value for a message: small values in full, large ones by shape."""
    array = _as_array(value)
    if array is None or array.dtype == object or array.ndim == 0:
        text = repr(value)
        return text if len(text) <= 300 else f"{text[:300]}… ({len(text)} characters)"
    if array.size > SHOWN_ENTRIES:
        return f"an array of shape {array.shape}, {np.count_nonzero(array)} of {array.size} not 0"
    return np.array2string(array, precision=6, separator=", ").replace("\n", "")

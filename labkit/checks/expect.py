"""The machinery of a check: count the cases of an exercise and explain the first one that fails."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from labkit.checks.needed import explain_needs
from labkit.error_names import public_name

__all__ = ["Case", "CheckFailed", "Expect", "NotStarted", "check"]

STUB = "Exercise "  # begins the message of a stub's error
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


def check(exercise: str, *answers: Callable[..., Any]) -> None:
    """Run the visible cases of ``exercise`` against ``answers`` and print the verdict.

    Args:
        exercise: an id such as ``"02.1"``.
        answers: the function or functions the exercise asks for.

    Raises:
        CheckFailed: at the first case that fails, with input, expected, got and a hint.
        NotStarted: if the answer, or another exercise that it calls, still raises its stub's error.
        ValueError: if there is no such exercise.
    """
    lab, _, _ = exercise.partition(".")
    try:
        cases = importlib.import_module(f"labkit.checks.lab{lab}").CASES[exercise]
    except (ImportError, KeyError) as error:
        raise ValueError(f"there is no check for exercise {exercise!r}; see the cell's own id.") from error
    expect = Expect(exercise)
    try:
        cases(expect, *answers)
    except NotImplementedError as error:
        if not str(error).startswith(STUB):
            raise
        name = str(error).removeprefix(STUB)
        needed = "" if name == exercise else f" It is needed by exercise {exercise}."
        advice = "replace the line that raises NotImplementedError."
        explain_needs()  # the cells below may need it too
        raise NotStarted(f"{STUB}{name} is not started: {advice}{needed}") from error
    print(f"{exercise} ok ({expect.count} cases)")  # noqa: T201


class Expect:
    """Counts the cases of one exercise; :meth:`given` starts the cases on one input."""

    def __init__(self, exercise: str) -> None:
        self.exercise = exercise
        self.count = 0

    def given(self, text: str) -> Case:
        """Return the object that checks an answer on the input that ``text`` describes."""
        return Case(self, text)

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
        """Return ``answer(*inputs)``; explain an exception instead of passing it on.

        ``NotImplementedError`` passes through: the exercise has not been started.
        """
        try:
            return answer(*inputs)
        except NotImplementedError:
            raise
        except Exception as error:
            text = f"{public_name(error)}: {error}{_line_of(error, answer)}"
            raise self._failure("a value", text, hint) from error

    def raises(
        self, error: type[BaseException], answer: Callable[..., Any], *inputs: Any, hint: str
    ) -> None:
        """Count one case: ``answer(*inputs)`` raises ``error``.

        ``NotImplementedError`` passes through: the exercise has not been started.
        """
        try:
            got = _show(answer(*inputs))
        except NotImplementedError:
            raise
        except error:
            self.expect.count += 1
            return
        except Exception as other:
            got = public_name(other)
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

    def _failure(self, expected: str, got: str, hint: str) -> CheckFailed:
        return CheckFailed(
            f"{self.expect.exercise} is not right yet.\n"
            f"  input:    {self.text}\n  expected: {expected}\n  got:      {got}\n  hint:     {hint}"
        )


def _line_of(error: BaseException, answer: Callable[..., Any]) -> str:
    """Tell the line of the answer's cell at which an error was raised; an empty text if it is unknown."""
    file = getattr(getattr(answer, "__code__", None), "co_filename", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" (line {lines[-1]} of your cell)" if lines else ""


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

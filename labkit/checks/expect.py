"""The machinery of a check: cases are counted, the first that fails is explained.

Leaves out: the cases themselves (one module a lab beside this one).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from labkit.error_names import public_name

__all__ = ["CheckFailed", "Expect", "check"]

SHOWN_ENTRIES = 24  # a message shows arrays up to this size whole


class CheckFailed(AssertionError):
    """An answer gave something else than expected; the message says what, where and a hint."""


def check(exercise: str, *answers: Callable[..., Any]) -> None:
    """Run the visible cases of ``exercise`` against ``answers`` and print the verdict.

    Args:
        exercise: an id such as ``"02.1"``.
        answers: the function or functions the exercise asks for.

    Raises:
        CheckFailed: at the first case that fails, with input, expected, got and a hint.
        ValueError: if there is no such exercise.
    """
    lab, _, _ = exercise.partition(".")
    try:
        cases = importlib.import_module(f"labkit.checks.lab{lab}").CASES[exercise]
    except (ImportError, KeyError) as error:
        raise ValueError(f"there is no check for exercise {exercise!r}; see the cell's own id.") from error
    expect = Expect(exercise)
    cases(expect, *answers)
    print(f"{exercise} ok ({expect.count} cases)")  # noqa: T201


class Expect:
    """Counts the cases of one exercise and raises :class:`CheckFailed` at the first that fails."""

    def __init__(self, exercise: str) -> None:
        self.exercise = exercise
        self.count = 0

    def call(self, answer: Callable[..., Any], *inputs: Any, given: str, hint: str) -> Any:
        """The answer's value for ``inputs``; an exception of its own is explained, not swallowed.

        ``NotImplementedError`` passes through: the exercise has not been started.
        """
        try:
            return answer(*inputs)
        except NotImplementedError:
            raise
        except Exception as error:
            raise self._failure(given, "a value", f"{public_name(error)}: {error}", hint) from error

    def close(
        self, got: Any, expected: Any, *, given: str, hint: str, atol: float = 1e-9, rtol: float = 1e-7
    ) -> None:
        """One case: ``got`` has the shape of ``expected`` and its numbers within tolerance."""
        actual, wanted = _as_array(got), np.asarray(_as_array(expected))
        if actual is None or actual.dtype.kind not in "biufc":
            raise self._failure(given, _show(expected), f"{type(got).__name__} {_show(got)}", hint)
        if actual.shape != wanted.shape:
            raise self._failure(given, f"shape {wanted.shape}", f"shape {actual.shape}", hint)
        same = np.isclose(actual, wanted, atol=atol, rtol=rtol)
        if not same.all():
            raise self._failure(given, *_show_difference(got, expected, same), hint)
        self.count += 1

    def equal(self, got: Any, expected: Any, *, given: str, hint: str) -> None:
        """One case: ``got`` equals ``expected`` exactly, shape included."""
        actual, wanted = _as_array(got), np.asarray(_as_array(expected))
        if actual is None or actual.shape != wanted.shape:
            raise self._failure(given, _show(expected), _show(got), hint)
        same = np.asarray(actual == wanted)
        if not same.all():
            raise self._failure(given, *_show_difference(got, expected, same), hint)
        self.count += 1

    def true(self, condition: bool, *, given: str, expected: str, got: Any, hint: str) -> None:
        """One case: a property holds; ``expected`` says which, in words."""
        if not condition:
            raise self._failure(given, expected, _show(got), hint)
        self.count += 1

    def keys(
        self, got: Any, keys: Collection[str], *, given: str, hint: str = "one entry a name, none else"
    ) -> None:
        """One case: ``got`` is a dict with exactly these keys."""
        names = list(got) if isinstance(got, Mapping) else type(got).__name__
        fits = isinstance(got, Mapping) and sorted(map(str, got)) == sorted(keys)
        self.true(
            fits, given=given, expected=f"a dict with the keys {', '.join(keys)}", got=names, hint=hint
        )

    def verdicts(self, answer: Callable[..., Any], statements: Collection[str]) -> None:
        """One case each: the keys, and True or False for every statement; whether rightly is not said."""
        given = "concept_answers()"
        got = self.call(answer, given=given, hint="return a dict from statement to True or False")
        self.keys(got, statements, given=given, hint="one entry a statement, none else")
        for key in statements:
            form, why = f"True or False for {key!r}", "write it without quotation marks"
            self.true(isinstance(got[key], bool), given=given, expected=form, got=got[key], hint=why)

    def _failure(self, given: str, expected: str, got: str, hint: str) -> CheckFailed:
        return CheckFailed(
            f"{self.exercise} is not right yet.\n"
            f"  input:    {given}\n  expected: {expected}\n  got:      {got}\n  hint:     {hint}"
        )


def _as_array(value: Any) -> np.ndarray | None:
    """``value`` (number, sequence, array or tensor) as an array; None if it is none of these."""
    try:
        detached = value.detach().cpu() if hasattr(value, "detach") else value
        return np.asarray(detached)
    except (TypeError, ValueError):
        return None


def _show_difference(got: Any, expected: Any, same: np.ndarray) -> tuple[str, str]:
    """Texts of what was expected and got; of large arrays only the first entry that differs."""
    if same.size <= SHOWN_ENTRIES:
        return _show(expected), _show(got)
    actual, wanted = np.asarray(_as_array(got)), np.asarray(_as_array(expected))
    index = tuple(int(i) for i in np.argwhere(~same)[0])
    place = ", ".join(map(str, index))
    return (
        f"{wanted[index]!s} at index [{place}] of shape {wanted.shape}",
        f"{actual[index]!s} there; {int((~same).sum())} of {same.size} entries differ",
    )


def _show(value: Any) -> str:
    """A short text for a message: small values whole, large ones by shape."""
    array = _as_array(value)
    if array is None or array.dtype == object or array.ndim == 0:
        text = repr(value)
        return text if len(text) <= 300 else f"{text[:300]}… ({len(text)} characters)"
    if array.size > SHOWN_ENTRIES:
        return f"an array of shape {array.shape}, {np.count_nonzero(array)} of {array.size} not 0"
    return np.array2string(array, precision=6, separator=", ").replace("\n", "")

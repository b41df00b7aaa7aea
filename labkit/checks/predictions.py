"""Predictions: what a student guessed before a run, beside what the run measured."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from labkit.tables import show_table

__all__ = ["show_predictions"]

PREFIX = "prediction_"
COLUMNS = ("quantity", "predicted", "measured", "difference")


def show_predictions(quantities: Mapping[str, str], measured: Mapping[str, object]) -> None:
    """Show a table of the notebook's predictions beside what was measured.

    The prediction of ``"q40"`` is the notebook's variable ``prediction_q40``. A prediction that is not
    there, is None or is not a number shows as a dash, and so does a measurement that is missing because
    its run failed; a sentence below the table names the predictions that are not numbers.

    Args:
        quantities: what was predicted, in words with the unit, by key.
        measured: a number, or several numbers in order, by key.
    """
    namespace = sys._getframe(1).f_globals
    rows, refused = [], []
    for key, quantity in quantities.items():
        prediction = namespace.get(PREFIX + key)
        predicted, value = _numbers(prediction), _numbers(measured.get(key))
        if prediction is not None and predicted is None:
            refused.append(f"{PREFIX}{key} is {prediction!r}")
        rows.append([quantity, _cell(predicted), _cell(value), _difference(predicted, value)])
    show_table("Prediction beside measurement", COLUMNS, rows)
    if refused:
        print(f"{', '.join(refused)}; write a number, such as 85.0.")  # noqa: T201


def _numbers(value: object) -> list[float] | None:
    """Return a number, or a sequence of numbers, as a list; None if it is anything else."""
    if value is None or isinstance(value, str | bytes | Mapping | set):
        return None
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return None
    return [number.item() for number in np.atleast_1d(numbers).ravel()] if numbers.size else None


def _cell(numbers: Sequence[float] | None) -> float | str | None:
    """Return the table's cell for a number or several."""
    if numbers is None or len(numbers) == 1:
        return None if numbers is None else numbers[0]
    return ", ".join(f"{number:g}" for number in numbers)


def _difference(predicted: Sequence[float] | None, measured: Sequence[float] | None) -> float | None:
    """Return measured minus predicted, if both are one number."""
    if predicted is None or measured is None or len(predicted) != 1 or len(measured) != 1:
        return None
    difference = measured[0] - predicted[0]
    return difference if math.isfinite(difference) else None

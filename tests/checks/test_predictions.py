"""Predictions are read from the notebook, whatever a student put there."""

from __future__ import annotations

import numpy as np
import pytest

from labkit.checks import show_predictions


@pytest.fixture
def shown_tables(monkeypatch):
    """Return a function that gives the rows of the tables that were shown."""
    rows: list[list[object]] = []
    monkeypatch.setattr(
        "labkit.checks.predictions.show_table", lambda _title, _columns, shown: rows.extend(shown)
    )
    return lambda: rows


def _show(capsys, measured: dict[str, object], **predictions: object) -> list[str]:
    """Return the lines that a notebook with these predictions shows for ``measured``."""
    namespace = {
        "show_predictions": show_predictions,
        "measured": measured,
        **{f"prediction_{key}": value for key, value in predictions.items()},
    }
    exec("show_predictions({'a': 'loss (nats)', 'b': 'zeros'}, measured)", namespace)
    printed = capsys.readouterr().out
    return [" ".join(line.split()) for line in printed.splitlines()]


def test_a_prediction_stands_beside_its_measurement(capsys, shown_tables):
    _show(capsys, {"a": 1.5, "b": np.int64(0)}, a=2, b=3.0)
    assert shown_tables() == [["loss (nats)", 2.0, 1.5, -0.5], ["zeros", 3.0, 0.0, -3.0]]


def test_what_is_missing_is_a_dash(capsys, shown_tables):
    _show(capsys, {"a": 1.5}, a=None)
    assert shown_tables() == [["loss (nats)", None, 1.5, None], ["zeros", None, None, None]]


def test_several_numbers_have_no_difference(capsys, shown_tables):
    _show(capsys, {"a": np.array([2.0, -1.0])}, a=(2, -0.5))
    assert shown_tables()[0] == ["loss (nats)", "2, -0.5", "2, -1", None]


def test_a_prediction_that_is_not_a_number_is_named(capsys, shown_tables):
    lines = _show(capsys, {"a": 1.5, "b": 2}, a="85 %", b=[])
    assert shown_tables() == [["loss (nats)", None, 1.5, None], ["zeros", None, 2.0, None]]
    assert lines[-1] == "prediction_a is '85 %', prediction_b is []; write a number, such as 85.0."

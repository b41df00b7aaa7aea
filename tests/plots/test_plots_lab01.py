import numpy as np

from labkit.linear import Trajectory
from labkit.plots import lab01 as plots
from labkit.tables import TABLE_MIME

STEPS = 40
WEIGHTS = [f"w{index}" for index in range(5)]
FALLING = Trajectory(
    np.outer(np.linspace(0, 1, STEPS + 1), [1.0, -2.0, 0.05, 0.0, 3.0]), np.linspace(4, 0, STEPS + 1) ** 2
)


def test_runs_store_the_loss_and_every_weight_of_each_run_at_eleven_steps(shown):
    plots.plot_runs("T", {"a": FALLING, "b": FALLING}, alt="two runs", magnify=True)
    data = shown[0]["data"]
    assert data["step"] == list(range(0, 41, 4))
    assert list(data) == ["step", *(f"{run}: {name}" for run in "ab" for name in ("loss", *WEIGHTS))]
    assert data["b: w1"][-1] == -2.0
    assert shown[0]["alt"] == "two runs"


def test_only_the_first_steps_are_stored_where_only_they_are_drawn(shown):
    plots.plot_runs("T", {"a": FALLING}, alt="one run", steps=10)
    assert shown[0]["data"]["step"] == list(range(11))
    assert shown[0]["data"]["a: loss"][0] == 16.0


def test_recovery_stores_both_panels_by_method(shown):
    samples, strengths = ([20, 60], {"lasso": [0.5, 0.9]}), ([0.1, 1.0], {"lasso": [0.4, 0.7]})
    plots.plot_recovery("T", samples, strengths, settings=("λ = 0.1", "n = 60"), alt="two panels")
    assert shown[0]["data"] == {
        "n": [20, 60],
        "λ": [0.1, 1.0],
        "lasso, by n": [0.5, 0.9],
        "lasso, by λ": [0.4, 0.7],
    }


def test_exact_and_near_zeros_are_counted_apart(monkeypatch):
    tables = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: tables.append(bundle[TABLE_MIME]))
    plots.show_finals("T", {"a": FALLING})
    assert tables[0]["rows"] == [["a", 1.0, -2.0, 0.05, 0.0, 3.0, 0.0, 1, 1]]


def test_the_summary_leaves_a_missing_prediction_empty_and_formats_lists(monkeypatch):
    tables = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: tables.append(bundle[TABLE_MIME]))
    plots.show_summary([("zeros", None, 3), ("weights", [1, 2.5], "none")])
    assert tables[0]["rows"] == [["zeros", None, "3"], ["weights", "1.000, 2.500", "none"]]

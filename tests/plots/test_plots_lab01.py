import numpy as np

from labkit.linear import Trajectory
from labkit.plots import lab01 as plots
from labkit.tables import TABLE_MIME

STEPS = 40
WEIGHTS = [f"w{index}" for index in range(5)]
FALLING = Trajectory(
    np.outer(np.linspace(0, 1, STEPS + 1), [1.0, -2.0, 0.05, 0.0, 3.0]), np.linspace(4, 0, STEPS + 1) ** 2
)


def test_runs_store_the_loss_and_every_weight_of_each_run_at_six_steps(shown):
    plots.plot_runs("T", {"a": FALLING, "b": FALLING}, magnify=True)
    data = shown[0]["data"]
    assert data["step"] == list(range(0, 41, 8))
    assert list(data) == ["step", *(f"{run}: {name}" for run in "ab" for name in ("loss", *WEIGHTS))]
    assert data["b: w1"][-1] == -2.0


def test_only_the_first_steps_are_stored_and_told_where_only_they_are_drawn(shown):
    plots.plot_runs("T", {"a": FALLING}, steps=10)
    assert shown[0]["data"]["step"] == list(range(0, 11, 2))
    assert shown[0]["data"]["a: loss"][0] == 16.0
    assert "loss from 16 to 9" in shown[0]["alt"]
    assert "w1 = -0.50" in shown[0]["alt"]


def test_the_alt_text_of_runs_tells_where_each_run_ends(shown):
    plots.plot_runs("T", {"a": FALLING})
    assert shown[0]["alt"] == (
        "T. Loss and weights by step. a: loss from 16 to 1e-28, ends at w0 = 1.00, w1 = -2.00, "
        "w2 = 0.05, w3 = 0.00, w4 = 3.00, 1 exactly zero."
    )


def test_the_problem_is_told_row_by_row(shown):
    plots.plot_problem("T", np.array([[1.0, -2.0], [0.5, 0.0]]), np.array([3.0, 4.0]))
    assert "1 -2; 0.5 0" in shown[0]["alt"]
    assert shown[0]["data"] == {"X, column 0": [1.0, 0.5], "X, column 1": [-2.0, 0.0], "y": [3.0, 4.0]}


def test_the_row_space_tells_the_ends_of_each_path(shown):
    path = np.array([[0.0, 0.0], [1.0, 2.0]])
    plots.plot_row_space("T", {"from zero": path}, np.array([1.0, 2.0]), 5.0)
    assert "Solutions of 1 w0 + 2 w1 = 5" in shown[0]["alt"]
    assert "from zero: from (0.00, 0.00) to (1.00, 2.00)" in shown[0]["alt"]
    assert shown[0]["data"] == {"from zero: w0": [0.0, 1.0], "from zero: w1": [0.0, 2.0]}


def test_curves_tell_their_start_and_end(shown):
    plots.plot_curves("T", {"a": FALLING.losses[:-1] + 1}, ylabel="loss")
    assert "a: from 17 to 1" in shown[0]["alt"]
    assert shown[0]["data"]["step"] == [0, 20]


def test_maps_tell_the_share_of_zeros(shown):
    inputs = np.linspace(-2, 2, 101)
    plots.plot_maps("T", inputs, {"hard": np.where(np.abs(inputs) > 1, inputs, 0.0)})
    assert "hard: -2 becomes -2, 2 becomes 2, 50 % of the inputs become 0" in shown[0]["alt"]
    assert shown[0]["data"]["before"][0] == -2.0


def test_recovery_stores_and_tells_both_panels_by_method(shown):
    samples, strengths = (
        ([20, 60], {"lasso": [0.5, 0.9], "plain": [0.1, 0.2]}),
        ([0.1, 1.0], {"lasso": [0.4, 0.7]}),
    )
    plots.plot_recovery("T", samples, strengths, settings=("λ = 0.1", "n = 60"))
    assert shown[0]["data"] == {
        "n": [20, 60],
        "λ": [0.1, 1.0],
        "lasso, by n": [0.5, 0.9],
        "plain, by n": [0.1, 0.2],
        "lasso, by λ": [0.4, 0.7],
    }
    assert "n = 20 60: lasso: 0.50 0.90; plain: 0.10 0.20" in shown[0]["alt"]
    assert "λ = 0.1 1: lasso: 0.40 0.70" in shown[0]["alt"]


def test_exact_and_near_zeros_are_counted_apart(monkeypatch):
    tables = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: tables.append(bundle[TABLE_MIME]))
    plots.show_finals("T", {"a": FALLING})
    assert tables[0]["rows"] == [["a", 1.0, -2.0, 0.05, 0.0, 3.0, 0.0, 1, 1]]

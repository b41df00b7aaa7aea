"""Figures of several seeds."""

import pytest

from labkit.plots import seeds
from labkit.plots.figure import FIGURE_MIME
from labkit.plots.seeds import plot_seeds

RESULTS = {"one-shot": {98: [20.0, 40.0, 30.0], 90: [91.0, 90.0, 92.0]}, "global": {90: [92.0]}}


@pytest.fixture
def shown(monkeypatch):
    outputs = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: outputs.append(bundle))
    return outputs


def test_every_training_and_the_means_are_in_the_figure(shown):
    plot_seeds("Far out", RESULTS, x="sparsity (%)", y="accuracy (%)", dense=92.0)
    figure = shown[0][FIGURE_MIME]
    assert figure["data"]["one-shot: sparsity (%)"] == [90, 90, 90, 98, 98, 98]
    assert figure["data"]["one-shot: accuracy (%)"] == [91.0, 90.0, 92.0, 20.0, 40.0, 30.0]
    assert "one-shot: 91.0 at 90 (from 90.0 to 92.0), 30.0 at 98 (from 20.0 to 40.0)" in figure["alt"]
    assert "global: 92.0 at 90 (from 92.0 to 92.0)" in figure["alt"]


def test_a_figure_without_a_dense_network_is_drawn(shown):
    plot_seeds("Far out", RESULTS, x="sparsity (%)", y="accuracy (%)")
    assert len(shown) == 1


@pytest.mark.parametrize("log", [False, True])
def test_the_axis_has_its_ticks_at_the_values_that_were_trained(monkeypatch, log):
    figures = []
    monkeypatch.setattr(seeds, "show_figure", lambda figure, **_: figures.append(figure))
    plot_seeds("Few images", {"full": {10: [60.0], 500: [90.0]}}, x="images", y="accuracy (%)", log=log)
    (axes,) = figures[0].axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "500"]
    assert axes.get_xscale() == ("log" if log else "linear")

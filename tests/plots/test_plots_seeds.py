"""Figures of several seeds."""

import pytest

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

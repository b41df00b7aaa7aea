"""Fixtures that several test files use."""

import pytest


@pytest.fixture
def shown(monkeypatch):
    """A list that collects the data and the alt text of every figure that is displayed."""
    from labkit.plots.figure import FIGURE_MIME  # here, because matplotlib takes a second to import

    figures = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: figures.append(bundle[FIGURE_MIME]))
    return figures

import base64
import io
import json

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from labkit.plots import new_figure, show_figure
from labkit.plots.figure import COLOURS, FIGURE_MIME, MARKERS


@pytest.fixture
def shown(monkeypatch):
    """A list that collects (bundle, metadata) of every figure that is displayed."""
    outputs = []
    monkeypatch.setattr(
        "IPython.display.display",
        lambda bundle, *, metadata, raw: outputs.append((bundle, metadata)) if raw else None,
    )
    return outputs


def simple_figure():
    figure, (axes,) = new_figure("Accuracy falls beyond 60 %")
    axes.plot([0, 20, 80], [92.0, 91.5, 24.0])
    axes.set_xlabel("sparsity (%)")
    return figure


def png_of(bundle):
    return Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))


def test_a_figure_has_the_title_and_as_many_axes_as_requested_row_by_row():
    figure, axes = new_figure("The claim", rows=2, columns=3)
    assert figure.get_suptitle() == "The claim"
    assert len(axes) == 6
    places = [(a.get_subplotspec().rowspan.start, a.get_subplotspec().colspan.start) for a in axes]
    assert places == [(row, column) for row in range(2) for column in range(3)]


def test_lines_take_the_palette_in_order():
    _, (axes,) = new_figure("t")
    colours = [axes.plot([0, 1])[0].get_color() for _ in COLOURS]
    assert colours == list(COLOURS)
    assert len(MARKERS) >= len(COLOURS)


def test_a_new_figure_leaves_matplotlibs_own_settings_alone(shown):
    before = dict(mpl.rcParams)
    show_figure(simple_figure(), alt="a line", data={"y": [1]})
    assert dict(mpl.rcParams) == before
    assert len(shown) == 1


def test_a_shown_figure_is_a_png_of_the_fixed_size_with_its_alt_text(shown):
    show_figure(simple_figure(), alt="A line that falls.", data={"x": [0]})
    bundle, metadata = shown[0]
    assert png_of(bundle).size == (560, 320)  # 7 × 4 inches at 80 dots an inch
    assert metadata == {"image/png": {"alt": "A line that falls."}}
    assert bundle["text/plain"] == "Figure: Accuracy falls beyond 60 %"


def test_the_same_figure_gives_the_same_bytes(shown):
    for _ in range(2):
        show_figure(simple_figure(), alt="a line", data={"x": [0]})
    assert shown[0] == shown[1]
    assert "Software" not in png_of(shown[0][0]).info


def test_the_plotted_numbers_are_stored_with_six_digits(shown):
    data = {"top-1 (%)": [91.123456789, 24], "rule": ["layer", None], "exact": [True, 1e-12 / 3]}
    show_figure(simple_figure(), alt="a line", data=data)
    plotted = shown[0][0][FIGURE_MIME]
    assert json.loads(json.dumps(plotted)) == {
        "title": "Accuracy falls beyond 60 %",
        "alt": "a line",
        "columns": ["top-1 (%)", "rule", "exact"],
        "data": {"top-1 (%)": [91.1235, 24], "rule": ["layer", None], "exact": [True, 3.33333e-13]},
    }


@pytest.mark.parametrize(
    "values", [np.linspace(0, 1, 3), np.arange(3), np.float32([0.1, 0.2]), [np.int64(3), np.float64(0.5)]]
)
def test_numpy_series_can_be_stored_as_json(shown, values):
    show_figure(simple_figure(), alt="a line", data={"y": values})
    stored = json.loads(json.dumps(shown[0][0][FIGURE_MIME]))["data"]["y"]
    np.testing.assert_allclose(stored, np.asarray(values, dtype=float), rtol=1e-5)


@pytest.mark.parametrize(("alt", "data"), [("", {"y": [1]}), ("  \n", {"y": [1]}), ("a line", {})])
def test_a_figure_without_alt_text_or_numbers_is_refused(shown, alt, data):
    with pytest.raises(ValueError, match="alt text"):
        show_figure(simple_figure(), alt=alt, data=data)
    assert shown == []

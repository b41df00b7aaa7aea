"""How every figure looks and how it is shown: fixed size, colour-blind-safe, with alt text and data.

Leaves out: what is drawn (the modules beside this one).
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

__all__ = ["COLOURS", "FIGURE_MIME", "MARKERS", "new_figure", "show_figure"]

FIGURE_MIME = "application/vnd.labkit.figure+json"
DPI = 80
# Okabe and Ito's palette, told apart with any colour vision; yellow left out as too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: Any = {
    "axes.grid": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 10,
    "grid.alpha": 0.3,
    "svg.hashsalt": "labkit",
}


def new_figure(
    title: str, *, rows: int = 1, columns: int = 1, size: tuple[float, float] = (7.0, 4.0)
) -> tuple[Figure, list[Axes]]:
    """An empty figure in the house style and its axes, row by row.

    Args:
        title: the claim that the figure supports.
        rows: rows of axes.
        columns: columns of axes.
        size: width and height in inches, at 80 dots an inch.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, dpi=DPI, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        figure.suptitle(title)
    return figure, list(axes.flat)


def show_figure(figure: Figure, *, alt: str, data: Mapping[str, Sequence[object]]) -> None:
    """Display a figure as PNG with alt text, and the numbers it plots beside it.

    Args:
        figure: from :func:`new_figure`.
        alt: what a reader who cannot see the figure needs to know.
        data: the plotted series by name, e.g. ``{"sparsity (%)": [0, 20], "top-1 (%)": [92, 91]}``.

    Raises:
        ValueError: if ``alt`` or ``data`` is empty.
    """
    from IPython.display import display

    if not alt.strip() or not data:
        raise ValueError("a figure needs alt text and the numbers it plots; pass alt=… and data=….")
    title = figure.get_suptitle()
    bundle = {
        "image/png": base64.b64encode(_as_png(figure)).decode(),
        "text/plain": f"Figure: {title}",
        FIGURE_MIME: {
            "title": title,
            "alt": alt,
            "columns": list(data),  # JSON keeps no order: nbformat sorts keys
            "data": {name: _rounded(values) for name, values in data.items()},
        },
    }
    display(bundle, metadata={"image/png": {"alt": alt}}, raw=True)


def _as_png(figure: Figure) -> bytes:
    """The figure with a palette of 128 colours: a quarter of the bytes of full colour."""
    canvas = FigureCanvasAgg(figure)
    with mpl.rc_context(STYLE):
        canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    buffer = io.BytesIO()
    pixels.quantize(128, method=Image.Quantize.MAXCOVERAGE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _rounded(values: Sequence[object]) -> list[object]:
    """Plain Python values, floats to six significant digits, so that notebooks stay small."""
    plain = [value.item() if hasattr(value, "item") else value for value in values]
    return [float(f"{value:.6g}") if isinstance(value, float) else value for value in plain]

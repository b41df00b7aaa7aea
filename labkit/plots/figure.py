"""What all figures share: the house style, drawing helpers, and the display with alt text and data.

Figures have a fixed size and colour-blind-safe colours. What a lab draws is in the module of that lab.
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
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from PIL import Image

from labkit.tables import json_number

__all__ = [
    "COLOURS",
    "FIGURE_MIME",
    "MARKERS",
    "REPORTED",
    "clear_frame",
    "draw_line",
    "label_axes",
    "legend_below",
    "log_x_axis",
    "new_figure",
    "show_figure",
]

FIGURE_MIME = "application/vnd.labkit.figure+json"
DPI = 80
# Okabe and Ito's palette, distinguishable with any colour vision, without yellow, too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
REPORTED: dict[str, Any] = {"linestyle": ":", "markerfacecolor": "white", "alpha": 0.8}  # others' results
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
    """Create an empty figure in the house style; return it and its axes, row by row.

    Args:
        title: the title above all axes.
        rows: rows of axes.
        columns: columns of axes.
        size: width and height in inches, at 80 dots per inch.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, dpi=DPI, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        figure.suptitle(title)
    return figure, list(axes.flat)


def draw_line(
    axes: Axes, index: int, x: Sequence[Any], y: Sequence[float], label: str, **style: Any
) -> None:
    """Draw line number ``index`` of the axes in the colour and with the marker of that number."""
    colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
    axes.plot(x, y, color=colour, marker=marker, label=label, **style)


def label_axes(axes: Axes, x: str, y: str, *, legend: bool = False) -> None:
    """Write the axes' labels and, if asked for, a legend inside the axes."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if legend:
        axes.legend(fontsize=9, frameon=False)


def log_x_axis(axes: Axes) -> None:
    """Make the horizontal axis logarithmic, with plain numbers at 1, 2 and 5 times the powers of ten."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def clear_frame(axes: Axes) -> None:
    """Leave out ticks, grid and border, around a picture or a matrix."""
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def legend_below(figure: Figure, axes: Axes, columns: int, *, fontsize: int = 9) -> None:
    """Write the legend of ``axes`` below the whole figure, in ``columns`` columns."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=fontsize)


def show_figure(figure: Figure, *, alt: str, data: Mapping[str, Sequence[object]]) -> None:
    """Display a figure as PNG with alt text and the data it plots.

    Args:
        figure: from :func:`new_figure`.
        alt: what a reader who cannot see the figure needs to know.
        data: the plotted series by name, e.g. ``{"sparsity (%)": [0, 20], "top-1 (%)": [92, 91]}``.

    Raises:
        ValueError: if ``alt`` or ``data`` is empty.
    """
    from IPython.display import display

    if not alt.strip() or not data:
        raise ValueError("a figure needs alt text and the data it plots; pass alt=… and data=….")
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
    """Encode the figure with a palette of 128 colours: a quarter of the bytes of full colour."""
    canvas = FigureCanvasAgg(figure)
    with mpl.rc_context(STYLE):
        canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    buffer = io.BytesIO()
    pixels.quantize(128, method=Image.Quantize.MAXCOVERAGE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _rounded(values: Sequence[object]) -> list[object]:
    """Return plain Python values, floats with six significant digits to keep notebooks small."""
    plain = [value.item() if hasattr(value, "item") else value for value in values]
    return [json_number(float(f"{value:.6g}")) if isinstance(value, float) else value for value in plain]

"""Figures of lab 12: matrices as pictures, attention maps, curves, and costs against time.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from torch import Tensor

from labkit.plots.figure import (
    COLOURS,
    MARKERS,
    clear_frame,
    draw_line,
    label_axes,
    new_figure,
    show_figure,
)

__all__ = ["plot_attention_maps", "plot_costs", "plot_curves", "plot_matrices"]

Points = Sequence[tuple[float, float]]


def plot_matrices(
    title: str, panels: Mapping[str, Tensor], axes_names: Mapping[str, tuple[str, str]]
) -> None:
    """Draw matrices as pictures, each with its scale of colours.

    Args:
        title: the figure's title.
        panels: ``(rows, columns)`` by the name that stands above it.
        axes_names: what columns and rows are, by the same names.
    """
    figure, axes = new_figure(title, columns=len(panels), size=(4.4 * len(panels), 3.8))
    spoken: list[str] = []
    data: dict[str, Sequence[object]] = {}
    for axis, (name, tensor) in zip(axes, panels.items(), strict=True):
        values = tensor.detach().cpu().double().numpy()
        limit = float(np.abs(values).max())
        picture = axis.imshow(values, cmap="RdBu", norm=Normalize(-limit, limit), aspect="auto")
        figure.colorbar(picture, ax=axis, shrink=0.9)
        axis.grid(visible=False)
        axis.set_title(name, fontsize=10)
        label_axes(axis, *axes_names[name])
        rows, columns = values.shape
        spoken.append(
            f"{name}: {rows} rows, {columns} columns, values from {values.min():.2f} to {values.max():.2f}; "
            f"the first row has {int((np.diff(np.sign(values[0])) != 0).sum())} changes of sign, the first "
            f"column {int((np.diff(np.sign(values[:, 0])) != 0).sum())}"
        )
        data |= {f"{name}, row {index}": values[index].tolist() for index in (0, rows // 2, rows - 1)}
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_attention_maps(title: str, maps: Mapping[str, Tensor], queries: str, keys: str) -> None:
    """Draw the attention of several heads; a darker cell is a larger weight.

    Args:
        title: the figure's title.
        maps: ``(heads, m, n)`` by layer; one row of pictures per layer.
        queries: m characters, the tokens that ask.
        keys: n characters, the tokens that are looked at.
    """
    heads = len(next(iter(maps.values())))
    size = (2.1 * heads + 0.6, 2.2 * len(maps) + 0.5)
    figure, axes = new_figure(title, rows=len(maps), columns=heads, size=size)
    spoken: list[str] = []
    data: dict[str, Sequence[object]] = {}
    for row, (name, tensor) in enumerate(maps.items()):
        for head, weights in enumerate(tensor.detach().cpu().double().numpy()):
            axis = axes[row * heads + head]
            axis.imshow(weights, cmap="Greys", vmin=0, vmax=1)
            clear_frame(axis)
            axis.set_xticks(range(len(keys)), list(keys), fontsize=9)
            axis.set_yticks(range(len(queries)), list(queries), fontsize=9)
            axis.set_title(f"{name}, head {head + 1}", fontsize=9)
            best = weights.argmax(axis=1)
            pairs = ", ".join(f"{query} at {keys[key]}" for query, key in zip(queries, best, strict=True))
            spoken.append(f"{name}, head {head + 1}: {pairs}")
            data[f"{name}, head {head + 1}: most seen key"] = best.tolist()
    alt = f"{title}. Rows ask, columns are looked at; the key with the largest weight. {'; '.join(spoken)}."
    show_figure(figure, alt=alt, data=data)


def plot_curves(
    title: str,
    panels: Mapping[str, Mapping[str, Points]],
    x: str,
    y: str,
    *,
    spans: Mapping[str, tuple[float, float]] | None = None,
    zero: bool = False,
) -> None:
    """Plot curves in panels side by side, which share nothing but the meaning of the vertical axis.

    Args:
        title: the figure's title.
        panels: points ``(x, y)`` by curve, by panel; an empty panel name has no title.
        x: the horizontal axis, with unit; it may be ``"first | second"`` for different panels.
        y: the vertical axis, with unit.
        spans: by panel, a range of x that is shaded: what was trained on.
        zero: whether the vertical axis begins at 0.
    """
    figure, axes = new_figure(title, columns=len(panels), size=(4.4 * len(panels) + 0.4, 3.6))
    names = x.split(" | ") if " | " in x else [x] * len(panels)
    spoken: list[str] = []
    data: dict[str, Sequence[object]] = {}
    for axis, name, (panel, curves) in zip(axes, names, panels.items(), strict=True):
        if spans and panel in spans:
            low, high = spans[panel]
            axis.axvspan(low - 0.4, high + 0.4, color=COLOURS[4], alpha=0.2, label="trained on")
        for index, (curve, points) in enumerate(curves.items()):
            places, values = zip(*points, strict=True)
            draw_line(axis, index, places, values, curve)
            label = f"{panel}: {curve}" if panel else curve
            spoken.append(f"{label}: " + ", ".join(f"{a:g}: {b:.4g}" for a, b in points))
            data |= {f"{label}, {name}": list(places), f"{label}, {y}": list(values)}
        axis.set_title(panel, fontsize=10)
        if zero:
            axis.set_ylim(bottom=0)
        label_axes(axis, name, y, legend=True)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_costs(title: str, rows: Sequence[tuple[str, int, float, float]]) -> None:
    """Plot the time of a pass against its number of products, and against its multiply-accumulates.

    Args:
        title: the figure's title.
        rows: (group, products, millions of MACs, milliseconds); a group has one colour.
    """
    figure, axes = new_figure(title, columns=2, size=(9.0, 3.8))
    groups = list(dict.fromkeys(row[0] for row in rows))
    labels = ("matrix products in the pass", "multiply-accumulates (millions)")
    for axis, place, label in zip(axes, (1, 2), labels, strict=True):
        for index, group in enumerate(groups):
            points = [row for row in rows if row[0] == group]
            style: Any = {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
            axis.plot(
                [row[place] for row in points],
                [row[3] for row in points],
                linestyle="",
                label=group,
                **style,
            )
        axis.set(xscale="log", yscale="log")
        axis.minorticks_off()
        _plain_ticks(axis, [float(row[place]) for row in rows], [row[3] for row in rows])
        label_axes(axis, label, "time of a pass (ms)", legend=place == 1)
    spoken = [
        f"{group}: {products} products, {macs:.3g} million MACs, {ms:.3g} ms"
        for group, products, macs, ms in rows
    ]
    data: dict[str, Sequence[object]] = {
        "group": [row[0] for row in rows],
        labels[0]: [row[1] for row in rows],
        labels[1]: [row[2] for row in rows],
        "time (ms)": [row[3] for row in rows],
    }
    show_figure(figure, alt=f"{title}. Both axes are logarithmic. {'; '.join(spoken)}.", data=data)


def _plain_ticks(axes: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    """Label logarithmic axes with plain numbers: at the values of x, and at 1, 2 and 5 times powers of ten."""
    places = sorted({float(f"{value:.2g}") for value in x})
    axes.set_xticks(places, [f"{place:g}" for place in places], fontsize=9)
    steps = [digit * 10.0**power for power in range(-3, 6) for digit in (1, 2, 5)]
    shown = [step for step in steps if min(y) / 2 <= step <= max(y) * 2]
    axes.set_yticks(shown, [f"{step:g}" for step in shown])
    axes.set_ylim(min(y) / 1.5, max(y) * 1.5)

"""Figures of lab 03: weights on their grids, accuracy by bits, zeros before and after rounding.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from labkit.plots.figure import (
    COLOURS,
    REPORTED,
    draw_line,
    label_axes,
    legend_below,
    new_figure,
    show_figure,
)

__all__ = ["plot_bits", "plot_grids", "plot_zeros"]

BINS = 61


def plot_grids(title: str, panels: Mapping[str, tuple[Any, Any]]) -> None:
    """Plot histograms of weights, one panel each, with the values of the grid as vertical lines.

    Args:
        title: the figure's title.
        panels: (weights, grid values) by name: arrays or CPU tensors, any shape and ``(k,)``.
    """
    figure, axes_row = new_figure(title, columns=len(panels), size=(8.4, 3.6))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for axes, (name, (weights, grid)) in zip(axes_row, panels.items(), strict=True):
        flat, values = np.asarray(weights).ravel(), np.sort(np.asarray(grid).ravel())
        edges = np.linspace(min(flat.min(), values[0]), max(flat.max(), values[-1]), BINS + 1)
        counts, _ = np.histogram(flat, edges)
        axes.stairs(counts, edges, fill=True, color=COLOURS[4], label="weights")
        axes.vlines(
            values, 0, counts.max(), color=COLOURS[1], linewidth=1, linestyle="--", label="grid values"
        )
        axes.axvline(0, color="#000000", linewidth=1, label="0")
        axes.set_title(name, fontsize=10)
        label_axes(axes, "weight", "number of weights" if axes is axes_row[0] else "")
        data[f"{name}: bin from"] = edges[:-1].tolist()
        data[f"{name}: weights"] = counts.tolist()
        data[f"{name}: grid"] = values.tolist()
        nearest = values[np.abs(values).argmin()] + 0.0  # −0.0 reads as 0
        spoken.append(
            f"{name}: {len(flat)} weights from {flat.min():.3f} to {flat.max():.3f}, "
            f"{len(values)} grid values, the one nearest to 0 at {nearest:.3f}"
        )
    legend_below(figure, axes_row[0], 3)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_bits(
    title: str,
    curves: Mapping[str, Mapping[int, float]],
    *,
    dense: float,
    reference: Mapping[str, Mapping[int, float]] | None = None,
) -> None:
    """Plot test accuracy against bits per weight, the whole range and close to the float network.

    Args:
        title: the figure's title.
        curves: accuracy in per cent by bits, by name.
        dense: accuracy of the dense float network in per cent, drawn as a horizontal line.
        reference: the same, as others reported it; dotted with hollow markers.
    """
    figure, panels = new_figure(title, columns=2, size=(8.8, 4.6))
    lines = {name: sorted(points.items()) for name, points in (*curves.items(), *(reference or {}).items())}
    for axes in panels:
        axes.axhline(dense, color="#555555", linewidth=1, label="dense network in float")
        for index, (name, points) in enumerate(lines.items()):
            bits, accuracy = zip(*points, strict=True)
            draw_line(axes, index, bits, accuracy, name, **({} if name in curves else REPORTED))
        axes.set_xlabel("bits a weight")
        axes.set_xticks(sorted({bits for points in lines.values() for bits, _ in points}))
    panels[0].set_ylabel("test accuracy (%)")
    panels[1].set_ylim(dense - 8, dense + 2)
    panels[1].set_title("close to the dense network", fontsize=10)
    legend_below(figure, panels[0], 3)
    spoken = [
        f"{name}: {', '.join(f'{accuracy:.1f} % at {bits} bits' for bits, accuracy in points)}"
        for name, points in lines.items()
    ]
    data = {name: [list(point) for point in points] for name, points in lines.items()}
    show_figure(figure, alt=f"{title}. Test accuracy by bits. {'. '.join(spoken)}.", data=data)


def plot_zeros(title: str, rows: Sequence[tuple[str, float, float]]) -> None:
    """Plot the share of zeros before and after rounding, two bars per network.

    Args:
        title: the figure's title.
        rows: (label, zeros before, zeros after), both in per cent of all weights.
    """
    figure, (axes,) = new_figure(title, size=(8.2, 4.0))
    labels, before, after = zip(*rows, strict=True)
    places = np.arange(len(rows))
    axes.barh(places - 0.2, before, 0.4, color=COLOURS[4], label="before rounding")
    axes.barh(places + 0.2, after, 0.4, color=COLOURS[0], hatch="//", label="after rounding")
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("zeros (% of all weights)")
    legend_below(figure, axes, 2)
    spoken = [f"{label}: from {low:.1f} to {high:.1f} %" for label, low, high in rows]
    show_figure(
        figure,
        alt=f"{title}. Zeros before and after rounding. {'; '.join(spoken)}.",
        data={"network": labels, "before (%)": before, "after (%)": after},
    )

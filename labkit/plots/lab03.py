"""Figures of lab 03: tensors with their numbers, rounding and its derivative, grids, ranges, accuracy, zeros.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from labkit.plots.figure import (
    COLOURS,
    REPORTED,
    draw_line,
    label_axes,
    legend_below,
    new_figure,
    show_figure,
)

__all__ = [
    "plot_bits",
    "plot_filter_ranges",
    "plot_grids",
    "plot_rounding",
    "plot_tensors",
    "plot_worked_example",
    "plot_zeros",
]

BINS = 61
SIGNS = LinearSegmentedColormap.from_list("signs", [COLOURS[4], "#ffffff", COLOURS[5]])


def plot_worked_example(title: str, weights: Sequence[Sequence[float]], *, bits: int) -> None:
    """Draw a small matrix, the levels of its values between minimum and maximum, and what they stand for.

    Args:
        title: the figure's title.
        weights: rows of numbers that are not all equal, as many in each.
        bits: of the levels, at least 1.
    """
    matrix = np.asarray(weights, float)
    scale = (matrix.max() - matrix.min()) / (2**bits - 1)
    levels = np.rint((matrix - matrix.min()) / scale).astype(int)
    panels = {"weights": matrix, f"levels ({bits} bits)": levels, "scale · level + shift": None}
    plot_tensors(title, panels | {"scale · level + shift": matrix.min() + scale * levels})


def plot_tensors(title: str, panels: Mapping[str, Any]) -> None:
    """Draw matrices side by side, each entry as a coloured square with its number.

    Blue stands for negative, orange for positive numbers, white for 0.

    Args:
        title: the figure's title.
        panels: matrices ``(rows, columns)`` by name: arrays, CPU tensors or lists.
    """
    matrices = {name: np.asarray(matrix) for name, matrix in panels.items()}
    size = (0.4 + sum(0.52 * matrix.shape[1] + 0.25 for matrix in matrices.values()), 3.3)
    figure, axes_row = new_figure(title, columns=len(matrices), size=size)
    spoken = []
    for axes, (name, matrix) in zip(axes_row, matrices.items(), strict=True):
        limit = float(np.abs(matrix).max()) or 1.0
        axes.imshow(matrix, cmap=SIGNS, vmin=-limit, vmax=limit)
        for (row, column), value in np.ndenumerate(matrix):
            axes.text(column, row, _entry(value), ha="center", va="center", fontsize=9, color="#000000")
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        axes.set_title(name, fontsize=10)
        spoken.append(f"{name}: " + "; ".join(" ".join(map(_entry, row)) for row in matrix))
    show_figure(
        figure,
        alt=f"{title}. Matrices row by row. {'. '.join(spoken)}.",
        data={name: matrix.ravel().tolist() for name, matrix in matrices.items()},
    )


def plot_rounding(title: str, *, lowest: int, highest: int) -> None:
    """Draw rounding to the integers of a grid, and the derivatives that a backward pass may use for it.

    The left panel is ŵ = clamp(round(w), lowest, highest), the right one its true derivative, the
    straight-through one, and the straight-through one that is 0 where the clamp acts.

    Args:
        title: the figure's title.
        lowest, highest: the first and the last value of the grid; the step is 1.
    """
    figure, (left, right) = new_figure(title, columns=2, size=(8.6, 3.6))
    w = np.linspace(lowest - 1.5, highest + 1.5, 601)
    rounded = np.clip(np.rint(w), lowest, highest)
    inside = ((w >= lowest) & (w <= highest)).astype(float)
    left.plot(w, w, color="#555555", linewidth=1, linestyle=":", label="w itself")
    left.plot(w, rounded, color=COLOURS[0], label="rounded")
    for start, end in ((w[0], lowest), (highest, w[-1])):
        left.axvspan(start, end, color=COLOURS[5], alpha=0.15, label="saturated" if start == w[0] else None)
    label_axes(left, "weight w, in steps of the grid", "value that the layer uses", legend=True)
    right.plot(w, 0 * w, color=COLOURS[0], label="true derivative")
    right.plot(w, 0 * w + 1, color=COLOURS[1], linestyle="--", label="straight through")
    right.plot(w, inside - 0.02, color=COLOURS[2], linestyle="-.", label="straight through, clipped")
    right.set_ylim(-0.15, 1.6)
    label_axes(right, "weight w, in steps of the grid", "derivative of the rounded weight", legend=True)
    show_figure(
        figure,
        alt=f"{title}. Left: a staircase with a stair at each integer from {lowest} to {highest}, level "
        f"beyond both ends. Right: three derivatives. The true one is 0 everywhere but at the jumps, "
        f"straight through is 1 everywhere, and the clipped one is 1 from {lowest} to {highest}, 0 beyond.",
        data={"w": w[::30].tolist(), "rounded": rounded[::30].tolist(), "clipped": inside[::30].tolist()},
    )


def plot_filter_ranges(title: str, weight: Any) -> None:
    """Plot the range of each output filter's weights as a bar, and the range of the whole tensor.

    Args:
        title: the figure's title.
        weight: ``(out, …)``, an array or a CPU tensor.
    """
    rows = np.asarray(weight).reshape(len(weight), -1)
    low, high = rows.min(axis=1), rows.max(axis=1)
    figure, (axes,) = new_figure(title, size=(8.2, 3.6))
    axes.bar(range(len(rows)), high - low, bottom=low, color=COLOURS[4], label="one filter")
    for end in (low.min(), high.max()):
        axes.axhline(end, color=COLOURS[1], linewidth=1, linestyle="--")
    axes.plot([], [], color=COLOURS[1], linestyle="--", label="whole tensor")
    axes.axhline(0, color="#000000", linewidth=1)
    axes.margins(y=0.06)
    label_axes(axes, "output filter", "weights, from smallest to largest")
    legend_below(figure, axes, 2)
    widths = high - low
    show_figure(
        figure,
        alt=f"{title}. {len(rows)} filters; the tensor spans {low.min():.2f} to {high.max():.2f}. The "
        f"narrowest filter spans {widths.min():.2f}, the median {np.median(widths):.2f}, the widest "
        f"{widths.max():.2f}.",
        data={"filter": list(range(len(rows))), "smallest": low.tolist(), "largest": high.tolist()},
    )


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
        axes.set_xlabel("bits per weight")
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
        alt=f"{title}. {'; '.join(spoken)}.",
        data={"network": labels, "before (%)": before, "after (%)": after},
    )


def _entry(value: Any) -> str:
    """The text of one entry: integers as they are, other numbers with up to two decimals."""
    return (
        f"{value + 0.0:.2f}".rstrip("0").rstrip(".")
        if isinstance(value, float | np.floating)
        else str(value)
    )

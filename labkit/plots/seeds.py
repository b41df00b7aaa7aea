"""Figures of methods that were trained several times: a line through the means, a dot per training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from labkit.plots.figure import COLOURS, draw_line, label_axes, legend_below, new_figure, show_figure

__all__ = ["plot_seeds"]


def plot_seeds(
    title: str,
    results: Mapping[str, Mapping[float, Sequence[float]]],
    *,
    x: str,
    y: str,
    dense: float | None = None,
    log: bool = False,
) -> None:
    """Plot several methods, each trained from several seeds, over a quantity such as sparsity.

    Args:
        title: the figure's title.
        results: by method and by x the values of y, one per seed.
        x, y: what the axes show, with units.
        dense: y of the unpruned network, drawn as a horizontal line.
        log: whether the horizontal axis is logarithmic.
    """
    figure, (axes,) = new_figure(title, size=(8.0, 4.4))
    if dense is not None:
        axes.axhline(dense, color="#555555", linewidth=1, label="dense network")
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for index, (name, points) in enumerate(results.items()):
        places = sorted(points)
        means = [mean(points[place]) for place in places]
        draw_line(axes, index, places, means, name)
        pairs = [(place, value) for place in places for value in points[place]]
        axes.plot(*zip(*pairs, strict=True), "_", color=COLOURS[index % len(COLOURS)], markersize=14)
        ranges = [
            f"{middle:.1f} at {place:g} (from {min(points[place]):.1f} to {max(points[place]):.1f})"
            for place, middle in zip(places, means, strict=True)
        ]
        spoken.append(f"{name}: {', '.join(ranges)}")
        data |= {f"{name}: {x}": [place for place, _ in pairs], f"{name}: {y}": [v for _, v in pairs]}
    label_axes(axes, x, y)
    if log:
        axes.set_xscale("log")
    every_place = sorted({place for points in results.values() for place in points})
    axes.set_xticks(every_place, [f"{place:g}" for place in every_place])
    axes.minorticks_off()
    legend_below(figure, axes, 4)
    show_figure(figure, alt=f"{title}. Means of the seeds of {y} by {x}. {'. '.join(spoken)}.", data=data)

"""Pictures that explain an idea: small tensors with their numbers, and steps joined by arrows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from labkit.plots.figure import COLOURS, clear_frame, new_figure, show_figure

__all__ = ["ARROW", "BOX", "one_line", "plot_steps", "plot_tensors"]

INCHES = 2.6  # per panel
BOX: dict[str, Any] = {"boxstyle": "round,pad=0.5", "facecolor": "#EAF2F8", "edgecolor": COLOURS[0]}
ARROW: dict[str, Any] = {"arrowstyle": "-|>", "color": "#444444", "linewidth": 1.4}


def plot_tensors(title: str, panels: Mapping[str, Tensor]) -> None:
    """Draw small matrices side by side, each entry with its number; zeros are pale, signs have two colours.

    Args:
        title: the figure's title.
        panels: ``(rows, columns)`` by the name that stands above it; a bool tensor shows as 0 and 1.
    """
    figure, axes = new_figure(title, columns=len(panels), size=(INCHES * len(panels), INCHES + 0.5))
    for axis, (name, tensor) in zip(axes, panels.items(), strict=True):
        values = tensor.detach().cpu().double().numpy()
        limit = max(1e-9, float(np.abs(values).max()))
        axis.imshow(values, cmap="RdBu", vmin=-2 * limit, vmax=2 * limit)
        for (row, column), value in np.ndenumerate(values):
            text = f"{value + 0.0:g}".replace("-", "−")
            colour = "#999999" if value == 0 else "#000000"
            axis.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
        clear_frame(axis)
        axis.set_title(name, fontsize=10)
    zeros = [f"{name}: {int((tensor == 0).sum())} of {tensor.numel()}" for name, tensor in panels.items()]
    rows = {f"{name}, row {i}": row.tolist() for name, t in panels.items() for i, row in enumerate(t)}
    show_figure(figure, alt=f"{title}. Matrices with their zeros: {'; '.join(zeros)}.", data=rows)


def plot_steps(title: str, steps: Sequence[str], *, back: tuple[int, int, str] | None = None) -> None:
    """Draw boxes from left to right, joined by arrows, and optionally one arrow that goes back.

    Args:
        title: the figure's title.
        steps: the texts of the boxes, in order.
        back: the boxes (from 0) that the arrow leaves and reaches, and what stands beside it.
    """
    figure, (axes,) = new_figure(title, size=(8.6, 2.1 if back else 1.5))
    axes.set(xlim=(-0.5, len(steps) - 0.5), ylim=(-1.1 if back else -0.5, 0.5))
    axes.axis("off")
    boxes = [
        axes.text(place, 0, step, ha="center", va="center", fontsize=10, bbox=BOX)
        for place, step in enumerate(steps)
    ]
    for place in range(len(steps) - 1):
        ends = {"patchA": boxes[place].get_bbox_patch(), "patchB": boxes[place + 1].get_bbox_patch()}
        axes.annotate("", (place + 1, 0), (place, 0), arrowprops=ARROW | ends)
    spoken = " → ".join(one_line(step) for step in steps)
    if back:
        start, end, label = back
        axes.plot([start, start, end], [-0.35, -0.8, -0.8], color=ARROW["color"], linewidth=1.4)
        axes.annotate("", (end, -0.3), (end, -0.82), arrowprops=ARROW)
        axes.text((start + end) / 2, -0.98, label, ha="center", va="center", fontsize=10)
        spoken += f"; from '{one_line(steps[start])}' back to '{one_line(steps[end])}': {label}"
    show_figure(figure, alt=f"{title}. {spoken}.", data={"step": [one_line(step) for step in steps]})


def one_line(text: str) -> str:
    """Return the text of a box without its line breaks, for alt text and data."""
    return " ".join(text.split())

"""Figures of lab 10: losses by step, learning rates, runs of several seeds, what zero filters emit.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean
from typing import NamedTuple

from torch import Tensor

from labkit.plots.figure import COLOURS, label_axes, legend_below, new_figure, show_figure
from labkit.training import EpochRecord

__all__ = ["plot_leftovers", "plot_losses", "plot_rates", "plot_runs", "pruning_epochs"]

LINES = ("-", "--", "-.", ":")
MOST_POINTS = 200  # of a curve in the data that is stored with a figure; the picture shows every step


def plot_losses(
    title: str, runs: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, steps_per_epoch: int
) -> None:
    """Plot the training loss of every step, raw and smoothed, with the epochs on the axis.

    Args:
        title: the figure's title.
        runs: the losses and their moving average, equally long, by name of the run; one panel each.
        steps_per_epoch: how many steps an epoch has.
    """
    figure, panels = new_figure(title, columns=len(runs), size=(max(6.0, 2.9 * len(runs)), 3.4))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    highest = max(max(smooth) for _, smooth in runs.values())
    for index, (axes, (name, (raw, smooth))) in enumerate(zip(panels, runs.items(), strict=True)):
        epochs = [(step + 1) / steps_per_epoch for step in range(len(raw))]
        axes.plot(epochs, raw, color=COLOURS[index], alpha=0.3, linewidth=0.8, label="each step")
        axes.plot(epochs, smooth, color=COLOURS[index], linewidth=2, label="moving average")
        axes.set_title(name, fontsize=10)
        axes.set_ylim(0, 1.4 * highest)
        label_axes(axes, "epoch", "" if index else "training loss (nats)", legend=True)
        data |= {
            f"{name}: step": _thinned(range(len(raw))),
            f"{name}: loss": _thinned(raw),
            f"{name}: moving average": _thinned(smooth),
        }
        spoken.append(f"{name}: moving average from {smooth[0]:.2f} to {smooth[-1]:.2f} nats")
    show_figure(figure, alt=f"{title}. Training loss by step. {'; '.join(spoken)}.", data=data)


def plot_rates(title: str, schedules: Mapping[str, Sequence[float]]) -> None:
    """Plot learning rates by step.

    Args:
        title: the figure's title.
        schedules: the rate of every step, by name of the schedule.
    """
    figure, (axes,) = new_figure(title, size=(7.4, 3.4))
    spoken = []
    for index, (name, rates) in enumerate(schedules.items()):
        axes.plot(range(len(rates)), rates, LINES[index % 4], color=COLOURS[index], label=name)
        spoken.append(f"{name}: from {rates[0]:.3g} to {rates[-1]:.3g}")
    label_axes(axes, "step", "learning rate", legend=True)
    steps = _thinned(range(max(map(len, schedules.values()))))
    data = {"step": steps} | {name: _thinned(rates) for name, rates in schedules.items()}
    show_figure(figure, alt=f"{title}. Learning rate by step. {'; '.join(spoken)}.", data=data)


def plot_runs(
    title: str, runs: Mapping[str, Sequence[Sequence[EpochRecord]]], *, train: bool = True
) -> None:
    """Plot accuracy by epoch: means of the seeds, with a band from the lowest to the highest one.

    A ring marks the first epoch after each pruning, which the rising sparsity of the records tells.

    Args:
        title: the figure's title.
        runs: for each kind of run the records of every seed, equally many epochs.
        train: whether a second panel shows the accuracy on training images.
    """
    figure, panels = new_figure(title, columns=1 + train, size=(8.8, 4.2))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for index, (name, seeds) in enumerate(runs.items()):
        colour, line = COLOURS[index], LINES[index % 4]
        rings = pruning_epochs(seeds[0])
        for axes, series in zip(panels, (_validation(seeds), _training(seeds)), strict=False):
            epochs = range(1, len(series.middle) + 1)
            axes.plot(epochs, series.middle, line, color=colour, label=name)
            axes.fill_between(epochs, series.low, series.high, color=colour, alpha=0.15)
            marked = [series.middle[epoch - 1] for epoch in rings]
            axes.plot(rings, marked, "o", color=colour, markerfacecolor="white")
        middle = _validation(seeds).middle
        data[f"{name}: validation (%)"] = middle
        if train:
            data[f"{name}: training (%)"] = _training(seeds).middle
        pruned = f", pruned before epochs {', '.join(map(str, rings))}" if rings else ""
        best = max(middle)
        spoken.append(
            f"{name}: best {best:.1f} % in epoch {middle.index(best) + 1}, last {middle[-1]:.1f} %{pruned}"
        )
    for axes, label in zip(panels, ("validation accuracy (%)", "training accuracy (%)"), strict=False):
        label_axes(axes, "epoch", label)
    legend_below(figure, panels[0], 3)
    show_figure(figure, alt=f"{title}. Validation accuracy by epoch. {'; '.join(spoken)}.", data=data)


def plot_leftovers(title: str, layers: Mapping[str, Tensor]) -> None:
    """Plot what the channels of zero filters emit, sorted by size, one line per layer.

    Args:
        title: the figure's title.
        layers: the constant output of each zero filter, ``(filters,)``, by layer.
    """
    figure, (axes,) = new_figure(title, size=(7.4, 3.6))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for index, (name, values) in enumerate(layers.items()):
        heights = sorted(values.detach().cpu().tolist(), reverse=True)
        shares = [(place + 0.5) / len(heights) for place in range(len(heights))]
        axes.plot(shares, heights, LINES[index % 4], color=COLOURS[index], label=name)
        data[name] = heights
        positive = sum(height > 0 for height in heights)
        spoken.append(f"{name}: {positive} of {len(heights)} above 0, largest {heights[0]:.2f}")
    label_axes(axes, "share of the layer's zero filters, largest first", "output of the ReLU", legend=True)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def pruning_epochs(records: Sequence[EpochRecord]) -> list[int]:
    """Return the epochs, counted from 1, in which more weights are zero than in the one before."""
    shares = [0.0, *(record.sparsity for record in records)]
    return [epoch for epoch, (before, now) in enumerate(pairwise(shares), 1) if now > before + 1e-3]


def _thinned(values: Sequence[float]) -> list[float]:
    """Return every n-th value from the first one on, at most :data:`MOST_POINTS`, to six decimals."""
    return [round(value, 6) for value in values[:: math.ceil(len(values) / MOST_POINTS)]]


class _Band(NamedTuple):
    """Mean, lowest and highest value over the seeds, by epoch."""

    middle: list[float]
    low: list[float]
    high: list[float]


def _band(columns: Sequence[Sequence[float]]) -> _Band:
    return _Band([mean(c) for c in columns], [min(c) for c in columns], [max(c) for c in columns])


def _validation(seeds: Sequence[Sequence[EpochRecord]]) -> _Band:
    return _band([[record.validation_top1 for record in epoch] for epoch in zip(*seeds, strict=True)])


def _training(seeds: Sequence[Sequence[EpochRecord]]) -> _Band:
    return _band([[record.train_top1 or 0.0 for record in epoch] for epoch in zip(*seeds, strict=True)])

"""Tables and figures of lab 01: paths of the weights, step sizes, sparse recovery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from labkit.linear import Array, Trajectory
from labkit.plots.figure import COLOURS, MARKERS, new_figure, show_figure
from labkit.tables import Cell, show_table

__all__ = ["NEAR", "plot_curves", "plot_recovery", "plot_runs", "show_finals", "show_summary"]

NEAR = 0.1  # a weight of smaller magnitude that is not exactly 0 counts as a near zero
LINES = ("-", "--", "-.", ":")
FLOOR = 1e-12  # losses below this are rounding errors and are not drawn


def show_finals(title: str, runs: Mapping[str, Trajectory]) -> None:
    """Show a table of the last weights, the loss, and the exact and near zeros of each run."""
    size = next(iter(runs.values())).final.size
    columns = [
        "run",
        *(f"w{index}" for index in range(size)),
        "loss",
        "exact zeros",
        f"near zeros (< {NEAR})",
    ]
    rows: list[list[Cell]] = []
    for name, run in runs.items():
        exact = run.final == 0
        near = ~exact & (np.abs(run.final) < NEAR)
        numbers = [_plain(value) for value in (*run.final, run.losses[-1])]
        rows.append([name, *numbers, int(exact.sum()), int(near.sum())])
    show_table(title, columns, rows, digits=4)


def show_summary(rows: Sequence[tuple[str, object, object]]) -> None:
    """Show the summary table: what was predicted (None: no prediction) beside what was measured."""
    columns = ["quantity", "predicted", "measured"]
    show_table(
        "Prediction beside measurement",
        columns,
        [[name, _as_cell(predicted), _as_cell(measured)] for name, predicted, measured in rows],
    )


def plot_runs(
    title: str, runs: Mapping[str, Trajectory], *, alt: str, steps: int | None = None, magnify: bool = False
) -> None:
    """Plot the loss of all runs in one panel on a log axis, and the weights of each run in a panel.

    Args:
        title: the figure's title.
        runs: trajectories by label; five weights each.
        alt: the figure in words.
        steps: how many steps to draw; all if None.
        magnify: whether to stretch the range within ±0.1 (linear there, logarithmic beyond).
    """
    columns = 2 if len(runs) == 1 else 3
    rows = -(-(len(runs) + 1) // columns)
    figure, axes = new_figure(title, rows=rows, columns=columns, size=(8.2, 0.9 + 2.0 * rows))
    losses, *panels = axes
    stop = None if steps is None else steps + 1
    _draw_losses(losses, {name: run.losses[:stop] for name, run in runs.items()})
    for axis, (name, run) in zip(panels, runs.items(), strict=False):
        for index, path in enumerate(run.weights[:stop].T):
            axis.plot(path, color=COLOURS[index], linewidth=1.2, label=f"$w_{index}$")
        axis.set(title=name, xlabel="step")
        if magnify:
            axis.set_yscale("symlog", linthresh=NEAR)
            axis.set_yticks([-1, -NEAR, 0, NEAR, 1], ["−1", "−0.1", "0", "0.1", "1"])
    _align(axes, [run.weights[:stop] for run in runs.values()], columns)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    for spare in panels[len(runs) :]:
        spare.set_axis_off()
    if len(runs) > 1:
        free = panels[-1] if len(panels) > len(runs) else losses
        free.legend(*losses.get_legend_handles_labels(), title="loss", fontsize=9, title_fontsize=9)
    show_figure(figure, alt=alt, data=_series(runs, steps))


def plot_curves(title: str, curves: Mapping[str, Array], *, ylabel: str, alt: str) -> None:
    """Plot a positive quantity of each run against the step, on a log axis."""
    figure, [axis] = new_figure(title, size=(7.2, 3.2))
    _draw_losses(axis, curves)
    axis.set_ylabel(ylabel)
    axis.legend(fontsize=9)
    show_figure(
        figure,
        alt=alt,
        data={name: [_plain(value) for value in curve[::10]] for name, curve in curves.items()},
    )


def plot_recovery(
    title: str,
    samples: tuple[Sequence[int], Mapping[str, Sequence[float]]],
    strengths: tuple[Sequence[float], Mapping[str, Sequence[float]]],
    *,
    settings: tuple[str, str],
    alt: str,
) -> None:
    """Plot true features among the ten largest weights against n, and F1 of the nonzeros against λ.

    Args:
        title: the figure's title.
        samples: the values of n, and the share found by each method at each n.
        strengths: the values of λ, and the F1 score of each method at each λ.
        settings: the fixed parameter of each panel, e.g. ``("λ = 0.1", "n = 60")``.
        alt: the figure in words.
    """
    figure, [left, right] = new_figure(title, columns=2, size=(8.4, 3.8))
    for axis, (positions, curves), setting in zip(
        (left, right), (samples, strengths), settings, strict=True
    ):
        for name, curve in curves.items():
            index = list(samples[1]).index(name)
            style: Any = {"color": COLOURS[index], "marker": MARKERS[index], "linestyle": LINES[index % 4]}
            axis.plot(positions, curve, **style, markersize=9 - 1.2 * index, label=name)  # all stay visible
        axis.set(ylim=(-0.03, 1.05), title=setting)
    left.set(xlabel="samples n", ylabel="true features in the top 10")
    right.set(xlabel="λ", ylabel="F1 of the exact nonzeros", xscale="log")
    left.legend(fontsize=9)
    data: dict[str, Sequence[object]] = {"n": list(samples[0]), "λ": list(strengths[0])}
    data |= {f"{name}, by n": list(curve) for name, curve in samples[1].items()}
    data |= {f"{name}, by λ": list(curve) for name, curve in strengths[1].items()}
    show_figure(figure, alt=alt, data=data)


def _draw_losses(axis: Axes, curves: Mapping[str, Array]) -> None:
    """Draw curves on a log axis; values at the level of rounding errors are left out."""
    for index, (name, curve) in enumerate(curves.items()):
        shown = np.where(curve > FLOOR, curve, np.nan)
        axis.semilogy(shown, LINES[index % 4], color=COLOURS[-1 - index], label=name)
    axis.set(xlabel="step", ylabel="loss ‖Xw − y‖²")


def _align(axes: Sequence[Axes], paths: Sequence[Array], columns: int) -> None:
    """Give all panels the same steps, all panels of weights the same range, and label each row once."""
    losses, *panels = axes
    losses.set_xlim(panels[0].get_xlim())
    low, high = min(path.min() for path in paths), max(path.max() for path in paths)
    for place, axis in enumerate(panels[: len(paths)], 1):
        axis.set_ylim(1.1 * low, 1.1 * high)
        if place == 1 or place % columns == 0:
            axis.set_ylabel("weight")


def _series(runs: Mapping[str, Trajectory], steps: int | None) -> dict[str, list[object]]:
    """Return the data of a figure of runs, thinned to at most 11 steps."""
    length = steps if steps is not None else len(next(iter(runs.values())).losses) - 1
    shown = list(range(0, length + 1, max(1, length // 10)))
    data: dict[str, list[object]] = {"step": list(shown)}
    for name, run in runs.items():
        data[f"{name}: loss"] = [_plain(value) for value in run.losses[shown]]
        for index, path in enumerate(run.weights[shown].T):
            data[f"{name}: w{index}"] = [_plain(value) for value in path]
    return data


def _plain(value: float) -> float:
    """Round to nine decimals, never −0.0, so rounding noise does not show."""
    return round(float(value), 9) + 0.0


def _as_cell(value: object) -> Cell:
    """Format a number, a sequence of numbers or anything else a student wrote; None stays None."""
    if value is None:
        return None
    if isinstance(value, bool | str):
        return str(value)
    try:
        numbers = np.atleast_1d(np.asarray(value))
        digits = 0 if np.issubdtype(numbers.dtype, np.integer) else 3
        return ", ".join(f"{round(float(number), digits) + 0.0:.{digits}f}" for number in numbers.ravel())
    except (TypeError, ValueError):
        return str(value)

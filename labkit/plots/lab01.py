"""Tables and figures of lab 01: the problem, the row space, paths of the weights, thresholds, recovery.

Every figure writes its alt text from the plotted numbers. The notebook only names what is shown, so a
notebook without outputs tells no result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from labkit.linear import Array, Trajectory
from labkit.plots.figure import COLOURS, MARKERS, label_axes, legend_below, new_figure, show_figure
from labkit.tables import Cell, show_table

__all__ = [
    "NEAR",
    "plot_curves",
    "plot_maps",
    "plot_problem",
    "plot_recovery",
    "plot_row_space",
    "plot_runs",
    "show_finals",
]

NEAR = 0.1  # a weight of smaller magnitude that is not exactly 0 counts as a near zero
LINES = ("-", "--", "-.", ":")
FLOOR = 1e-28  # losses below this are rounding errors and are not drawn


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


def plot_problem(title: str, X: Array, y: Array) -> None:
    """Draw ``Xw = y`` as boxes of numbers: X ``(n, d)``, the unknown w ``(d,)`` and y ``(n,)``."""
    samples, size = X.shape
    figure, [axis] = new_figure(title, size=(7.0, 0.5 * size + 0.9))
    limit = float(np.abs(X).max())
    top = (size - samples) / 2  # X and y are centred beside the taller w
    for row in range(samples):
        for column in range(size):
            _draw_box(axis, column, top + row, f"{X[row, column]:g}", X[row, column] / limit)
        _draw_box(axis, size + 4, top + row, f"{y[row]:g}", 0.0)
    for index in range(size):
        _draw_box(axis, size + 1.5, index, f"$w_{index}$", 0.0)
    for position, text in ((size + 0.75, "·"), (size + 3.25, "=")):
        axis.text(position, size / 2, text, ha="center", va="center", fontsize=16)
    for position, text in ((size / 2, "X"), (size + 2.0, "w"), (size + 4.5, "y")):
        axis.text(position, -0.4, text, ha="center", va="center", fontweight="bold")
    axis.set(xlim=(-0.1, size + 5.1), ylim=(size + 0.1, -0.8), aspect="equal")
    axis.set_axis_off()
    spoken = "; ".join(" ".join(f"{value:g}" for value in row) for row in X)
    targets = " ".join(f"{value:g}" for value in y)
    show_figure(
        figure,
        alt=f"{title}. X has {samples} rows and {size} columns: {spoken}. w holds {size} unknown weights. "
        f"y is {targets}.",
        data={**{f"X, column {index}": list(X[:, index]) for index in range(size)}, "y": list(y)},
    )


def plot_row_space(title: str, paths: Mapping[str, Array], row: Array, target: float) -> None:
    """Draw, for one equation ``row · w = target`` in two unknowns, its solutions and paths of weights.

    Args:
        title: the figure's title.
        paths: the weights ``(steps + 1, 2)`` that each run visits, by label.
        row: the only row of X, ``(2,)``; its multiples are the row space.
        target: the only entry of y.
    """
    figure, [axis] = new_figure(title, size=(6.4, 4.2))
    points = np.concatenate([*paths.values(), [[0.0, 0.0]]])
    low, high = points.min(axis=0) - 0.8, points.max(axis=0) + 0.8
    reach = np.array([-20.0, 20.0])
    nearest = target * row / (row @ row)
    across = np.array([-row[1], row[0]])
    solutions, span = nearest + np.outer(reach, across), np.outer(reach, row)
    axis.plot(*solutions.T, color="#000000", linewidth=1.4, label="solutions")
    axis.plot(*span.T, color="#777777", linestyle=":", label="row space")
    spoken = []
    for index, (name, path) in enumerate(paths.items()):
        style: Any = {"color": COLOURS[index], "marker": MARKERS[index], "markersize": 5}
        axis.plot(*path.T, linestyle="-", linewidth=1, label=name, **style)
        start, end = (", ".join(f"{value:.2f}" for value in path[place]) for place in (0, -1))
        spoken.append(f"{name}: from ({start}) to ({end})")
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    label_axes(axis, "$w_0$", "$w_1$")
    legend_below(figure, axis, 4)
    equation = f"{row[0]:g} w0 + {row[1]:g} w1 = {target:g}"
    show_figure(
        figure,
        alt=f"{title}. Solutions of {equation} form a line; the row space is the line through 0 at right "
        f"angles to it. {'; '.join(spoken)}.",
        data={
            f"{name}: w{index}": [_plain(value) for value in path[:, index]]
            for name, path in paths.items()
            for index in range(2)
        },
    )


def plot_runs(
    title: str, runs: Mapping[str, Trajectory], *, steps: int | None = None, magnify: bool = False
) -> None:
    """Plot the loss of all runs in one panel on a log axis, and the weights of each run in a panel.

    Args:
        title: the figure's title.
        runs: trajectories by label; five weights each.
        steps: how many steps to draw; all if None.
        magnify: whether to stretch the range within ±0.1 (linear there, logarithmic beyond).
    """
    columns = 2 if len(runs) == 1 else 3
    rows = -(-(len(runs) + 1) // columns)
    figure, axes = new_figure(title, rows=rows, columns=columns, size=(9.0, 1.1 + 2.1 * rows))
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
            axis.axhspan(-NEAR, NEAR, color="#e6e6e6", linewidth=0, zorder=0)
    label = "weight (shaded: enlarged)" if magnify else "weight"
    _align(axes, [run.weights[:stop] for run in runs.values()], columns, label)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    for spare in panels[len(runs) :]:
        spare.set_axis_off()
    if len(runs) > 1:
        free = panels[-1] if len(panels) > len(runs) else losses
        free.legend(*losses.get_legend_handles_labels(), title="loss", fontsize=9, title_fontsize=9)
    spoken = "; ".join(_spoken_run(name, run, steps) for name, run in runs.items())
    show_figure(figure, alt=f"{title}. Loss and weights by step. {spoken}.", data=_series(runs, steps))


def plot_curves(title: str, curves: Mapping[str, Array], *, ylabel: str) -> None:
    """Plot a positive quantity of each run against the step, on a log axis."""
    figure, [axis] = new_figure(title, size=(7.2, 3.2))
    _draw_losses(axis, curves)
    axis.set_ylabel(ylabel)
    axis.legend(fontsize=9)
    spoken = "; ".join(
        f"{name}: from {curve[0]:.2g} to {max(curve[-1], FLOOR):.2g}" for name, curve in curves.items()
    )
    steps = len(next(iter(curves.values()))) - 1
    show_figure(
        figure,
        alt=f"{title}. {ylabel} over {steps} steps. {spoken}.",
        data={
            "step": list(range(0, steps + 1, 20)),
            **{name: [float(value) for value in curve[::20]] for name, curve in curves.items()},
        },
    )


def plot_maps(title: str, inputs: Array, outputs: Mapping[str, Array]) -> None:
    """Plot functions of one weight, by label: the weight after a step against the weight before it."""
    figure, [axis] = new_figure(title, size=(6.4, 3.8))
    axis.plot(inputs, inputs, color="#777777", linestyle=":", linewidth=1, label="unchanged")
    spoken = []
    for index, (name, values) in enumerate(outputs.items()):
        jumps = np.abs(np.diff(values)) > 20 * np.diff(inputs)
        broken = np.insert(values, np.flatnonzero(jumps) + 1, np.nan)  # a jump is a gap, not a steep line
        places = np.insert(inputs, np.flatnonzero(jumps) + 1, np.nan)
        width = 4.5 - 1.5 * index  # all stay visible where they coincide
        axis.plot(places, broken, LINES[index % 4], color=COLOURS[index], linewidth=width, label=name)
        share = float(np.mean(values == 0))
        spoken.append(
            f"{name}: {inputs[0]:g} becomes {values[0]:.2g}, {inputs[-1]:g} becomes {values[-1]:.2g}, "
            f"{100 * share:.0f} % of the inputs become 0"
        )
    label_axes(axis, "weight before", "weight after", legend=True)
    thin = max(1, len(inputs) // 20)
    show_figure(
        figure,
        alt=f"{title}. {'; '.join(spoken)}.",
        data={
            "before": [_plain(value) for value in inputs[::thin]],
            **{name: [_plain(value) for value in values[::thin]] for name, values in outputs.items()},
        },
    )


def plot_recovery(
    title: str,
    samples: tuple[Sequence[int], Mapping[str, Sequence[float]]],
    strengths: tuple[Sequence[float], Mapping[str, Sequence[float]]],
    *,
    settings: tuple[str, str],
) -> None:
    """Plot true features among the ten largest weights against n, and F1 of the nonzeros against λ.

    Args:
        title: the figure's title.
        samples: the values of n, and the share found by each method at each n.
        strengths: the values of λ, and the F1 score of each method at each λ.
        settings: the fixed parameter of each panel, e.g. ``("λ = 0.1", "n = 60")``.
    """
    figure, [left, right] = new_figure(title, columns=2, size=(8.4, 4.2))
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
    legend_below(figure, left, 3)
    data: dict[str, Sequence[object]] = {"n": list(samples[0]), "λ": list(strengths[0])}
    data |= {f"{name}, by n": list(curve) for name, curve in samples[1].items()}
    data |= {f"{name}, by λ": list(curve) for name, curve in strengths[1].items()}
    shares = "; ".join(
        f"{name}: {' '.join(f'{value:.2f}' for value in curve)}" for name, curve in samples[1].items()
    )
    scores = "; ".join(
        f"{name}: {' '.join(f'{value:.2f}' for value in curve)}" for name, curve in strengths[1].items()
    )
    show_figure(
        figure,
        alt=f"{title}. Left, share of true features at n = {' '.join(map(str, samples[0]))}: {shares}. "
        f"Right, F1 at λ = {' '.join(f'{value:g}' for value in strengths[0])}: {scores}.",
        data=data,
    )


def _draw_box(axis: Axes, x: float, y: float, text: str, value: float) -> None:
    """Draw one entry of a matrix at column x and row y, shaded by its sign and size (value in ±1)."""
    colour = COLOURS[0] if value > 0 else COLOURS[1]
    axis.fill(
        [x, x + 1, x + 1, x], [y, y, y + 1, y + 1], color=colour, alpha=0.35 * abs(value), linewidth=0
    )
    axis.plot([x, x + 1, x + 1, x, x], [y, y, y + 1, y + 1, y], color="#777777", linewidth=0.8)
    axis.text(x + 0.5, y + 0.5, text, ha="center", va="center")


def _draw_losses(axis: Axes, curves: Mapping[str, Array]) -> None:
    """Draw curves on a log axis; values at the level of rounding errors are left out."""
    for index, (name, curve) in enumerate(curves.items()):
        shown = np.where(curve > FLOOR, curve, np.nan)
        axis.semilogy(shown, LINES[index % 4], color=COLOURS[-1 - index], label=name)
    axis.set(xlabel="step", ylabel="loss ‖Xw − y‖²")


def _align(axes: Sequence[Axes], paths: Sequence[Array], columns: int, label: str) -> None:
    """Give all panels the same steps, all panels of weights the same range, and label each row once."""
    losses, *panels = axes
    losses.set_xlim(panels[0].get_xlim())
    low, high = min(path.min() for path in paths), max(path.max() for path in paths)
    for place, axis in enumerate(panels[: len(paths)], 1):
        axis.set_ylim(1.1 * low, 1.1 * high)
        if place == 1 or place % columns == 0:
            axis.set_ylabel(label)


def _spoken_run(name: str, run: Trajectory, steps: int | None) -> str:
    """Describe where a run starts and ends, for alt text."""
    last = len(run.losses) - 1 if steps is None else steps
    rounded = np.round(run.weights[last], 2) + 0.0  # + 0.0: no minus zero
    weights = ", ".join(f"w{index} = {value:.2f}" for index, value in enumerate(rounded))
    loss = f"{max(run.losses[last], FLOOR):.2g}"
    exact = int(np.sum(run.weights[last] == 0))
    return f"{name}: loss from {run.losses[0]:.2g} to {loss}, ends at {weights}, {exact} exactly zero"


def _series(runs: Mapping[str, Trajectory], steps: int | None) -> dict[str, list[object]]:
    """Return the data of a figure of runs, thinned to at most six steps."""
    length = steps if steps is not None else len(next(iter(runs.values())).losses) - 1
    shown = list(range(0, length + 1, max(1, length // 5)))
    data: dict[str, list[object]] = {"step": list(shown)}
    for name, run in runs.items():
        data[f"{name}: loss"] = [_plain(value) for value in run.losses[shown]]
        for index, path in enumerate(run.weights[shown].T):
            data[f"{name}: w{index}"] = [_plain(value) for value in path]
    return data


def _plain(value: float) -> float:
    """Round to nine decimals, never −0.0, so rounding noise does not show."""
    return round(float(value), 9) + 0.0

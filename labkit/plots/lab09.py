"""Figures of lab 09: a LASSO path, errors by selection rule, trade-offs, savings, and the costs of each network.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.plots.diagrams import plot_steps, plot_tensors
from labkit.plots.figure import (
    COLOURS,
    MARKERS,
    draw_line,
    label_axes,
    legend_below,
    log_x_axis,
    new_figure,
    show_figure,
)

__all__ = [
    "plot_costs",
    "plot_errors",
    "plot_gains",
    "plot_lines",
    "plot_path",
    "plot_steps",
    "plot_tensors",
]


def plot_path(
    title: str, alphas: Sequence[float], counts: Sequence[int], searches: Mapping[str, tuple[float, int]]
) -> None:
    """Plot how many channels are left at each alpha of the path, and where searches ended.

    Args:
        title: the figure's title.
        alphas: where the support changes, decreasing; 0 is not drawn.
        counts: the number of nonzero β there.
        searches: (alpha, channels) by name.
    """
    figure, (axes,) = new_figure(title, size=(7.6, 3.8))
    steps = [(alpha, count) for alpha, count in zip(alphas, counts, strict=True) if alpha > 0]
    along, left = [alpha for alpha, _ in steps], [count for _, count in steps]
    axes.step(along, left, where="post", color=COLOURS[0], linewidth=1.2, label="the whole path")
    for index, (name, (alpha, count)) in enumerate(searches.items(), 1):
        axes.plot(alpha, count, MARKERS[index], color=COLOURS[index], markersize=8, label=name)
    axes.set_xscale("log")
    axes.invert_xaxis()
    label_axes(axes, "alpha, falling along the path", "channels with β ≠ 0", legend=True)
    spoken = ", ".join(f"{name}: {count} channels" for name, (_, count) in searches.items())
    alt = f"{title}. From {min(left)} to {max(left)} channels in {len(steps)} steps; {spoken}."
    data: dict[str, Sequence[object]] = {"alpha": along, "channels": left}
    data |= {name: list(result) for name, result in searches.items()}
    show_figure(figure, alt=alt, data=data)


def plot_errors(
    title: str,
    layers: Mapping[str, Mapping[str, Mapping[int, float]]],
    *,
    xlabel: str = "channels kept",
    ylabel: str = "error of the layer's output (%)",
) -> None:
    """Plot error against channels kept, one panel per layer, one line per rule, on the same log axis.

    Args:
        title: the figure's title.
        layers: per cent by layer, rule and number of channels.
        xlabel: label of the horizontal axes.
        ylabel: label of the vertical axis.
    """
    figure, panels = new_figure(title, columns=len(layers), size=(4.6 * len(layers), 4.2))
    heights = [error for rules in layers.values() for errors in rules.values() for error in errors.values()]
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for axes, (layer, rules) in zip(panels, layers.items(), strict=True):
        for index, (rule, errors) in enumerate(rules.items()):
            counts = sorted(errors)
            values = [errors[count] for count in counts]
            draw_line(axes, index, counts, values, rule)
            data |= {f"{layer}: channels": counts, f"{layer}, {rule} (%)": values}
        axes.set_yscale("log")
        axes.set_ylim(0.8 * min(heights), 1.25 * max(heights))
        axes.set_title(layer, fontsize=10)
        axes.set_xlabel(xlabel)
        middle = sorted(next(iter(rules.values())))[len(next(iter(rules.values()))) // 2]
        by_rule = ", ".join(f"{rule} {errors[middle]:.1f} %" for rule, errors in rules.items())
        spoken.append(f"{layer}, {middle} channels: {by_rule}")
    panels[0].set_ylabel(ylabel)
    legend_below(figure, panels[0], 4)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_lines(
    title: str, lines: Mapping[str, Mapping[float, float]], *, xlabel: str, ylabel: str, log: bool = False
) -> None:
    """Plot one line per name through its points, which may lie at different places.

    Args:
        title: the figure's title.
        lines: by name, the height at each place.
        xlabel: label of the horizontal axis.
        ylabel: label of the vertical axis.
        log: whether the horizontal axis is logarithmic.
    """
    figure, (axes,) = new_figure(title, size=(7.6, 4.2))
    data: dict[str, Sequence[object]] = {}
    for index, (name, points) in enumerate(lines.items()):
        places = sorted(points)
        heights = [points[place] for place in places]
        draw_line(axes, index, places, heights, name)
        data |= {f"{name}: {xlabel}": places, f"{name}: {ylabel}": heights}
    if log:
        log_x_axis(axes)
    label_axes(axes, xlabel, ylabel)
    legend_below(figure, axes, 2)
    spoken = "; ".join(
        f"{name}: {', '.join(f'{points[place]:.4g} at {place:.4g}' for place in sorted(points))}"
        for name, points in lines.items()
    )
    show_figure(figure, alt=f"{title}. {ylabel} by {xlabel}. {spoken}.", data=data)


def plot_gains(title: str, gains: Mapping[str, Mapping[str, float]]) -> None:
    """Plot dense divided by pruned as bars, one group per quantity, one colour per network.

    Args:
        title: the figure's title.
        gains: how many times less, by network and quantity; the same quantities for each.
    """
    quantities = list(next(iter(gains.values())))
    figure, (axes,) = new_figure(title, size=(8.0, 1.6 + 0.6 * len(quantities)))
    height = 0.8 / len(gains)
    for index, (network, by_quantity) in enumerate(gains.items()):
        places = [row + index * height for row in range(len(quantities))]
        bars = axes.barh(
            places, list(by_quantity.values()), 0.92 * height, color=COLOURS[index], label=network
        )
        axes.bar_label(bars, fmt="%.1f×", padding=3, fontsize=9)
    axes.axvline(1, color=COLOURS[6], linewidth=1, linestyle=":")
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(quantities))], quantities)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("dense divided by pruned")
    legend_below(figure, axes, 4)
    spoken = [
        f"{network}: {', '.join(f'{quantity} {gain:.1f}' for quantity, gain in by_quantity.items())}"
        for network, by_quantity in gains.items()
    ]
    data: dict[str, Sequence[object]] = {"quantity": quantities}
    data |= {network: list(by_quantity.values()) for network, by_quantity in gains.items()}
    show_figure(figure, alt=f"{title}. Times less: {'; '.join(spoken)}.", data=data)


def plot_costs(
    title: str,
    methods: Mapping[str, Mapping[str, Mapping[str, float]]],
    *,
    accuracy: str,
    costs: Sequence[str],
) -> None:
    """Plot accuracy against several costs on logarithmic axes: one panel per cost, one line per method.

    Args:
        title: the figure's title.
        methods: quantities by method, network and name; a line joins a method's networks in their order.
        accuracy: the name of the quantity on the vertical axes.
        costs: the names of the quantities on the horizontal axes, with units.
    """
    figure, panels = new_figure(title, columns=len(costs), size=(3.4 * len(costs), 4.6))
    for axes, cost in zip(panels, costs, strict=True):
        for index, (method, networks) in enumerate(methods.items()):
            rows = networks.values()
            draw_line(axes, index, [row[cost] for row in rows], [row[accuracy] for row in rows], method)
        log_x_axis(axes)
        axes.set_xlabel(cost)
    panels[0].set_ylabel(accuracy)
    legend_below(figure, panels[0], 4)
    every = {name: row for networks in methods.values() for name, row in networks.items()}
    data: dict[str, Sequence[object]] = {"network": list(every)}
    data |= {quantity: [row[quantity] for row in every.values()] for quantity in (accuracy, *costs)}
    spoken = [
        f"{name}: {', '.join(f'{quantity} {row[quantity]:.3g}' for quantity in (accuracy, *costs))}"
        for name, row in every.items()
    ]
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)

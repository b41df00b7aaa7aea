"""Figures of lab 06: the network, shares by layer, times of batches, operators, memory, a counter.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.patches import Rectangle

from labkit.plots.figure import COLOURS, MARKERS, label_axes, legend_below, new_figure, show_figure

__all__ = [
    "plot_batch_sizes",
    "plot_counter",
    "plot_latencies",
    "plot_layer_shares",
    "plot_memory",
    "plot_nesting",
    "plot_network",
    "plot_operators",
    "plot_turns",
]


def plot_layer_shares(title: str, shares: Mapping[str, Mapping[str, float]]) -> None:
    """Plot the layers' shares of the network as bars, one colour per quantity.

    Args:
        title: the figure's title.
        shares: per cent by quantity and layer; the same layers for each.
    """
    layers = list(next(iter(shares.values())))
    figure, (axes,) = new_figure(title, size=(8.0, 3.8))
    width = 0.8 / len(shares)
    for index, (quantity, by_layer) in enumerate(shares.items()):
        places = np.arange(len(layers)) + (index - (len(shares) - 1) / 2) * width
        axes.bar(places, [by_layer[layer] for layer in layers], width, color=COLOURS[index], label=quantity)
    axes.set_xticks(range(len(layers)), layers, rotation=45, ha="right", fontsize=9)
    axes.set_ylabel("share of the network (%)")
    axes.grid(visible=False, axis="x")
    axes.legend(fontsize=9)
    spoken = [
        f"{quantity}: " + ", ".join(f"{layer} {by_layer[layer]:.1f}" for layer in layers)
        for quantity, by_layer in shares.items()
    ]
    data: dict[str, Sequence[object]] = {"layer": layers}
    data |= {
        f"{quantity} (%)": [by_layer[layer] for layer in layers] for quantity, by_layer in shares.items()
    }
    show_figure(figure, alt=f"{title}. Per cent of the network. {'; '.join(spoken)}.", data=data)


def plot_latencies(title: str, times_ms: Sequence[float], *, warmup: int) -> None:
    """Plot the time of each batch, with the median and quartiles of those after the warm-up.

    Args:
        title: the figure's title.
        times_ms: milliseconds per batch, in the order they ran.
        warmup: how many batches at the start are not counted.
    """
    figure, (axes,) = new_figure(title, size=(7.0, 3.4))
    numbers = np.arange(1, len(times_ms) + 1)
    first, median, third = np.quantile(times_ms[warmup:], (0.25, 0.5, 0.75))
    axes.plot(numbers[:warmup], times_ms[:warmup], MARKERS[1], color=COLOURS[1], label="warm-up")
    axes.plot(numbers[warmup:], times_ms[warmup:], MARKERS[0], color=COLOURS[0], label="counted")
    axes.axhline(median, color=COLOURS[6], linewidth=1, label="median")
    axes.axhspan(first, third, color=COLOURS[6], alpha=0.12, label="first to third quartile")
    label_axes(axes, "batch", "time (ms)")
    axes.set_ylim(0, 1.15 * max(times_ms))
    axes.legend(fontsize=9)
    alt = (
        f"{title}. {len(times_ms)} batches; the first {warmup} take "
        f"{', '.join(f'{value:.1f}' for value in times_ms[:warmup])} ms, "
        f"the others {median:.1f} in the median, from {first:.1f} to {third:.1f} between the quartiles."
    )
    show_figure(figure, alt=alt, data={"batch": list(numbers), "time (ms)": times_ms})


def plot_batch_sizes(title: str, measured: Mapping[int, tuple[float, float]]) -> None:
    """Plot throughput and peak memory against the batch size, which is on a log axis.

    Args:
        title: the figure's title.
        measured: (images per second, peak memory in MB) by images per batch.
    """
    figure, panels = new_figure(title, columns=2, size=(8.4, 3.6))
    sizes = sorted(measured)
    labels = ("throughput (images/s)", "peak memory (MB)")
    series = [[measured[size][place] for size in sizes] for place in range(2)]
    for axes, label, values, colour in zip(panels, labels, series, COLOURS, strict=False):
        axes.semilogx(sizes, values, MARKERS[0] + "-", color=colour)
        axes.set_ylim(0, 1.1 * max(values))
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        label_axes(axes, "images per batch", label)
    spoken = [f"{size}: {measured[size][0]:.0f} images/s, {measured[size][1]:.0f} MB" for size in sizes]
    data: dict[str, Sequence[object]] = {"images per batch": sizes}
    data |= dict(zip(labels, series, strict=True))
    show_figure(figure, alt=f"{title}. By images per batch: {'; '.join(spoken)}.", data=data)


def plot_network(title: str, layers: Sequence[tuple[str, int, int]]) -> None:
    """Draw the output of each layer as a box: its height is the side of the maps, its width their number.

    Args:
        title: the figure's title.
        layers: name, side of the maps in pixels (1 for a vector), number of maps.
    """
    figure, (axes,) = new_figure(title, size=(8.6, 3.2))
    left = 0.0
    for name, side, channels in layers:
        width = 0.25 + channels / 260
        axes.add_patch(Rectangle((left, -side / 2), width, side, facecolor="#EAF2F8", edgecolor=COLOURS[0]))
        axes.text(left + width / 2, -side / 2 - 1, name, ha="center", va="top", fontsize=7, rotation=90)
        axes.text(left + width / 2, side / 2 + 0.6, f"{channels}", ha="center", va="bottom", fontsize=7)
        left += width + 0.45
    axes.set(xlim=(-0.4, left), ylim=(-27, 20))
    axes.axis("off")
    spoken = ", ".join(f"{name}: {channels} of {side}×{side}" for name, side, channels in layers)
    names, sides, counts = zip(*layers, strict=True)
    data = {"layer": names, "side (pixels)": sides, "maps": counts}
    show_figure(figure, alt=f"{title}. Maps that each layer outputs: {spoken}.", data=data)


def plot_turns(title: str, panels: Mapping[str, Sequence[tuple[str, float]]]) -> None:
    """Plot the times of batches in the order in which they ran, one panel per order.

    Args:
        title: the figure's title.
        panels: (what ran, milliseconds) for each batch, by the panel's name.
    """
    figure, all_axes = new_figure(title, columns=len(panels), size=(8.6, 3.4))
    names = list(dict.fromkeys(name for batches in panels.values() for name, _ in batches))
    top = max(ms for batches in panels.values() for _, ms in batches)
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for axes, (panel, batches) in zip(all_axes, panels.items(), strict=True):
        for index, name in enumerate(names):
            places = [place for place, (ran, _) in enumerate(batches, 1) if ran == name]
            times = [ms for ran, ms in batches if ran == name]
            axes.plot(places, times, MARKERS[index], color=COLOURS[index], label=name)
            data[f"{panel}, {name}: batch"] = places
            data[f"{panel}, {name}: time (ms)"] = times
            spoken.append(f"{panel}, {name}: median {np.median(times):.1f} ms")
        axes.set_ylim(0, 1.15 * top)
        axes.set_title(panel, fontsize=10)
        label_axes(axes, "batch, in the order of time", "time (ms)")
    all_axes[0].legend(fontsize=9)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_nesting(title: str, calls: Sequence[tuple[str, float, float, int]]) -> None:
    """Draw calls as bars over time, those inside another one below it.

    Args:
        title: the figure's title.
        calls: name, start and end in microseconds, and depth, 0 for a call that is inside no other.
    """
    figure, (axes,) = new_figure(title, size=(7.6, 2.4))
    for index, (name, start, end, depth) in enumerate(calls):
        colour = COLOURS[index % len(COLOURS)]
        axes.barh(-depth, end - start, left=start, height=0.8, color=colour, alpha=0.35, edgecolor=colour)
        axes.text((start + end) / 2, -depth, name, ha="center", va="center", fontsize=8)
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")
    label_axes(axes, "time (µs)", "")
    spoken = ", ".join(f"{name} from {start:g} to {end:g} µs" for name, start, end, _ in calls)
    columns = zip(*calls, strict=True)
    data = dict(zip(("call", "start (µs)", "end (µs)", "depth"), columns, strict=True))
    show_figure(figure, alt=f"{title}. {spoken}.", data=data)


def plot_operators(title: str, shares: Mapping[str, Mapping[str, float]]) -> None:
    """Plot the share of self time of operators as horizontal bars, one colour per run.

    Args:
        title: the figure's title.
        shares: per cent by run and operator; an operator that a run did not call counts as 0.
    """
    names = list(dict.fromkeys(name for by_name in shares.values() for name in by_name))
    figure, (axes,) = new_figure(title, size=(7.6, 0.9 + 0.4 * len(names)))
    height = 0.8 / len(shares)
    data: dict[str, Sequence[object]] = {"operator": names}
    for index, (run, by_name) in enumerate(shares.items()):
        places = np.arange(len(names)) + (index - (len(shares) - 1) / 2) * height
        values = [by_name.get(name, 0.0) for name in names]
        axes.barh(places, values, height, color=COLOURS[index], label=run)
        data[f"{run} (%)"] = values
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    label_axes(axes, "share of the self time (%)", "")
    axes.legend(fontsize=9)
    spoken = [
        f"{run}: " + ", ".join(f"{name} {by_name.get(name, 0.0):.1f}" for name in names)
        for run, by_name in shares.items()
    ]
    show_figure(figure, alt=f"{title}. Per cent of the self time. {'; '.join(spoken)}.", data=data)


def plot_memory(
    title: str,
    changes: Sequence[tuple[float, int]],
    averages: Mapping[str, float],
    *,
    resident: float = 0.0,
) -> None:
    """Plot the memory held over the time of a pass, with averages as horizontal lines.

    Args:
        title: the figure's title.
        changes: time in microseconds and bytes allocated or released, in the order of time.
        averages: bytes by the line's name.
        resident: bytes that are held before and after, added to all.
    """
    figure, (axes,) = new_figure(title, size=(7.6, 3.4))
    times = [(when - changes[0][0]) / 1000 for when, _ in changes]
    held = [(resident + value) / 1e6 for value in np.cumsum([size for _, size in changes])]
    axes.step(times, held, where="post", color=COLOURS[0], label="held")
    for index, (name, value) in enumerate(averages.items(), 1):
        level = (resident + value) / 1e6
        axes.axhline(level, color=COLOURS[index], linestyle="--", linewidth=1.2, label=name)
    axes.set_ylim(0, None)
    label_axes(axes, "time (ms)", "memory (MB)")
    axes.legend(fontsize=9)
    spoken = ", ".join(f"{name} {(resident + value) / 1e6:.1f} MB" for name, value in averages.items())
    show_figure(
        figure,
        alt=f"{title}. {len(changes)} changes, at most {max(held):.1f} MB; {spoken}.",
        data={"time (ms)": times, "memory (MB)": held},
    )


def plot_counter(title: str, idle_uj: Sequence[int], busy_uj: Sequence[int], range_uj: int) -> None:
    """Plot the readings of an energy counter, idle and then busy, in joules, with its range as a line."""
    figure, (axes,) = new_figure(title, size=(7.0, 3.2))
    places = np.arange(len(idle_uj) + len(busy_uj) - 1)
    for index, (name, start, readings) in enumerate(
        (("idle", 0, idle_uj), ("batches run", len(idle_uj) - 1, busy_uj))
    ):
        values = np.array(readings) / 1e6
        axes.plot(
            places[start : start + len(readings)], values, MARKERS[index], color=COLOURS[index], label=name
        )
    axes.axhline(range_uj / 1e6, color=COLOURS[6], linewidth=1, linestyle="--", label="range")
    axes.set_ylim(0, None)
    label_axes(axes, "reading", "counter (J)")
    legend_below(figure, axes, 3)
    joules = [value / 1e6 for value in (*idle_uj, *busy_uj[1:])]
    spoken = ", ".join(f"{value:.1f}" for value in joules)
    alt = f"{title}. Readings in joules, {len(idle_uj)} idle and then {len(busy_uj) - 1} busy: {spoken}."
    show_figure(figure, alt=alt, data={"reading": list(places), "counter (J)": joules})

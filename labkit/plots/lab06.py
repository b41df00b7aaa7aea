"""Figures of lab 06: shares by layer, the time of each batch, throughput and memory by batch size.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from labkit.plots.figure import COLOURS, MARKERS, label_axes, new_figure, show_figure

__all__ = ["plot_batch_sizes", "plot_latencies", "plot_layer_shares"]


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
        label_axes(axes, "images a batch", label)
    spoken = [f"{size}: {measured[size][0]:.0f} images/s, {measured[size][1]:.0f} MB" for size in sizes]
    data: dict[str, Sequence[object]] = {"images a batch": sizes}
    data |= dict(zip(labels, series, strict=True))
    show_figure(figure, alt=f"{title}. By images a batch: {'; '.join(spoken)}.", data=data)

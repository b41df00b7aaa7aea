"""Figures of lab 07: sensitivity curves, sparsities by layer, bytes and times against sparsity.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import colormaps

from labkit.plots.figure import (
    COLOURS,
    MARKERS,
    draw_line,
    label_axes,
    legend_below,
    new_figure,
    show_figure,
)

__all__ = ["plot_choices", "plot_curves", "plot_storage", "plot_times"]

Curves = Mapping[str, Sequence[float]]


def plot_curves(title: str, panels: Mapping[str, tuple[Sequence[float], Curves]]) -> None:
    """Plot one line per layer against its sparsity, in panels; dark lines are early layers.

    Args:
        title: the figure's title.
        panels: by what the panel shows, with its unit: sparsities in per cent, and for each layer one value
            per sparsity, in order.
    """
    figure, panel_axes = new_figure(title, columns=len(panels), size=(9.6, 4.6))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for axes, (panel, (sparsities, curves)) in zip(panel_axes, panels.items(), strict=True):
        colours = colormaps["viridis"].resampled(len(curves) + 1)
        data[f"{panel}: sparsity (%)"] = list(sparsities)
        for index, (layer, values) in enumerate(curves.items()):
            style = "-" if index % 2 else "--"
            axes.plot(sparsities, values, style, color=colours(index), linewidth=1.4, label=layer)
            data[f"{panel}: {layer}"] = list(values)
        last = {layer: values[-1] for layer, values in curves.items()}
        low, high = min(last, key=lambda layer: last[layer]), max(last, key=lambda layer: last[layer])
        spoken.append(
            f"{panel} at {sparsities[-1]:g} % zeros: from {last[low]:.2f} ({low}) to {last[high]:.2f} ({high})"
        )
        axes.set_title(panel, fontsize=10)
        axes.set_xlabel("zeros in this layer alone (%)")
    legend_below(figure, panel_axes[0], 6, fontsize=8)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_choices(title: str, choices: Mapping[str, Mapping[str, float]]) -> None:
    """Plot the sparsity of each layer, one marker per way to choose it.

    Args:
        title: the figure's title.
        choices: sparsities in per cent, by way and layer; the same layers for each.
    """
    figure, (axes,) = new_figure(title, size=(8.4, 4.4))
    layers = list(next(iter(choices.values())))
    for index, (way, by_layer) in enumerate(choices.items()):
        heights = [by_layer[layer] for layer in layers]
        axes.plot(
            layers, heights, MARKERS[index] + ":", color=COLOURS[index], label=way, linewidth=0.8, alpha=0.9
        )
    axes.set_ylabel("zeros (%)")
    axes.set_ylim(-4, 104)
    axes.tick_params(axis="x", rotation=60, labelsize=8)
    axes.legend(fontsize=9, frameon=False)
    spoken = [
        f"{way}: {min(by_layer.values()):.0f} to {max(by_layer.values()):.0f} %"
        for way, by_layer in choices.items()
    ]
    data: dict[str, Sequence[object]] = {"layer": layers}
    data |= {f"{way} (%)": [by_layer[layer] for layer in layers] for way, by_layer in choices.items()}
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_storage(
    title: str,
    sparsities: Sequence[float],
    forms: Mapping[str, Sequence[float]],
    *,
    measured: Mapping[str, tuple[float, float]],
) -> None:
    """Plot megabytes on a log axis against sparsity: lines by formula, markers as measured.

    Args:
        title: the figure's title.
        sparsities: in per cent.
        forms: megabytes at each sparsity, by storage format.
        measured: (sparsity in per cent, megabytes) by what was stored.
    """
    figure, (axes,) = new_figure(title, size=(8.0, 4.4))
    for index, (form, heights) in enumerate(forms.items()):
        axes.plot(sparsities, heights, color=COLOURS[index], label=form)
    for index, (name, point) in enumerate(measured.items()):
        axes.plot(
            *point, MARKERS[index], color=COLOURS[-1], markerfacecolor="none", markersize=9, label=name
        )
    axes.set_yscale("log")
    label_axes(axes, "zeros (%)", "megabytes", legend=True)
    ends = [f"{form}: {heights[0]:.1f} to {heights[-1]:.1f} MB" for form, heights in forms.items()]
    points = [f"{name}: {size:.1f} MB at {zeros:.0f} %" for name, (zeros, size) in measured.items()]
    spoken = f"from {sparsities[0]:g} to {sparsities[-1]:g} % zeros, {', '.join(ends)}"
    data: dict[str, Sequence[object]] = {"sparsity (%)": list(sparsities)}
    data |= {f"{form} (MB)": list(heights) for form, heights in forms.items()}
    data |= {f"{name} (%, MB)": list(point) for name, point in measured.items()}
    show_figure(figure, alt=f"{title}. {spoken}; measured {', '.join(points)}.", data=data)


def plot_times(title: str, sparsities: Sequence[float], times_ms: Mapping[str, Sequence[float]]) -> None:
    """Plot milliseconds on a log axis against the share of weights that are kept, also on a log axis.

    Args:
        title: the figure's title.
        sparsities: in per cent, below 100.
        times_ms: milliseconds at each sparsity, by what was timed.
    """
    figure, (axes,) = new_figure(title, size=(7.4, 3.8))
    kept = [100 - sparsity for sparsity in sparsities]
    for index, (name, heights) in enumerate(times_ms.items()):
        draw_line(axes, index, kept, heights, name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(kept, [f"{share:.3g}" for share in kept])
    axes.minorticks_off()
    axes.invert_xaxis()
    label_axes(axes, "weights kept (%)", "time (ms)", legend=True)
    spoken = [f"{name}: {heights[0]:.3g} to {heights[-1]:.3g} ms" for name, heights in times_ms.items()]
    data: dict[str, Sequence[object]] = {"sparsity (%)": list(sparsities)}
    data |= {f"{name} (ms)": list(heights) for name, heights in times_ms.items()}
    ends = f"From {sparsities[0]:g} to {sparsities[-1]:g} % zeros"
    show_figure(figure, alt=f"{title}. {ends}: {'; '.join(spoken)}.", data=data)

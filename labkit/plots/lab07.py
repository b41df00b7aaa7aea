"""Figures of lab 07: sensitivity curves, sparsities by layer, bytes against sparsity.

Every function draws, writes alt text from the numbers it was given, and shows the figure.
Leaves out: measuring anything; the title, which is the claim, comes from the notebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib import colormaps

from labkit.plots.figure import COLOURS, MARKERS, new_figure, show_figure

__all__ = ["plot_choices", "plot_curves", "plot_storage"]

Curves = Mapping[str, Sequence[float]]


def plot_curves(title: str, panels: Mapping[str, tuple[Sequence[float], Curves]], *, label: str) -> None:
    """One line a layer against its sparsity, one panel a data set; dark lines are early layers.

    Args:
        title: the claim.
        panels: by data set: sparsities in per cent, and one value a sparsity for each layer, in order.
        label: what the lines show, with its unit.
    """
    figure, axes = new_figure(title, columns=len(panels), size=(9.6, 4.6))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for place, (panel, (sparsities, curves)) in zip(axes, panels.items(), strict=True):
        colours = colormaps["viridis"].resampled(len(curves) + 1)
        data[f"{panel}: sparsity (%)"] = list(sparsities)
        for index, (layer, values) in enumerate(curves.items()):
            style = "-" if index % 2 else "--"
            place.plot(sparsities, values, style, color=colours(index), linewidth=1.4, label=layer)
            data[f"{panel}: {layer}"] = list(values)
        last = {layer: values[-1] for layer, values in curves.items()}
        low, high = min(last, key=lambda layer: last[layer]), max(last, key=lambda layer: last[layer])
        spoken.append(
            f"{panel}, at {sparsities[-1]:g} %: from {last[low]:.2f} ({low}) to {last[high]:.2f} ({high})"
        )
        place.set_title(panel, fontsize=10)
        place.set_xlabel("zeros in this layer alone (%)")
    axes[0].set_ylabel(label)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=6, fontsize=8)
    show_figure(figure, alt=f"{title}. {label}. {'; '.join(spoken)}.", data=data)


def plot_choices(title: str, choices: Mapping[str, Mapping[str, float]]) -> None:
    """Sparsity of each layer, one marker a way to choose.

    Args:
        title: the claim.
        choices: sparsities in per cent, by way and layer; the same layers for each.
    """
    figure, (axes,) = new_figure(title, size=(8.4, 4.4))
    layers = list(next(iter(choices.values())))
    for index, (way, found) in enumerate(choices.items()):
        heights = [found[layer] for layer in layers]
        axes.plot(
            layers, heights, MARKERS[index] + ":", color=COLOURS[index], label=way, linewidth=0.8, alpha=0.9
        )
    axes.set_ylabel("zeros (%)")
    axes.set_ylim(-4, 104)
    axes.tick_params(axis="x", rotation=60, labelsize=8)
    axes.legend(fontsize=9, frameon=False)
    spoken = [
        f"{way}: {min(found.values()):.0f} to {max(found.values()):.0f} %" for way, found in choices.items()
    ]
    data: dict[str, Sequence[object]] = {"layer": layers}
    data |= {f"{way} (%)": [found[layer] for layer in layers] for way, found in choices.items()}
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_storage(
    title: str,
    sparsities: Sequence[float],
    forms: Mapping[str, Sequence[float]],
    *,
    measured: Mapping[str, tuple[float, float]],
) -> None:
    """Megabytes against sparsity on a logarithmic axis: lines by formula, markers as measured.

    Args:
        title: the claim.
        sparsities: in per cent.
        forms: megabytes at each sparsity, by form of storage.
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
    axes.set_xlabel("zeros (%)")
    axes.set_ylabel("megabytes")
    axes.legend(fontsize=9, frameon=False)
    ends = [f"{form}: {heights[0]:.1f} to {heights[-1]:.1f} MB" for form, heights in forms.items()]
    points = [f"{name}: {size:.1f} MB at {zeros:.0f} %" for name, (zeros, size) in measured.items()]
    spoken = f"from {sparsities[0]:g} to {sparsities[-1]:g} % zeros, {', '.join(ends)}"
    data: dict[str, Sequence[object]] = {"sparsity (%)": list(sparsities)}
    data |= {f"{form} (MB)": list(heights) for form, heights in forms.items()}
    data |= {f"{name} (%, MB)": list(point) for name, point in measured.items()}
    show_figure(figure, alt=f"{title}. {spoken}; measured {', '.join(points)}.", data=data)

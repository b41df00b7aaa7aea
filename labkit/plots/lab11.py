"""Figures of lab 11: accuracy by epoch for several ways of transfer, and accuracy by what is trained.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.plots.figure import draw_line, label_axes, legend_below, new_figure, show_figure

__all__ = ["plot_costs", "plot_transfer"]


def plot_transfer(title: str, curves: Mapping[str, Sequence[float]], epochs: Sequence[int]) -> None:
    """Plot the validation accuracy by epoch, one line per way of transfer.

    Args:
        title: the figure's title.
        curves: by way, the accuracy in per cent after each of ``epochs``.
        epochs: counted from 1, in rising order.
    """
    figure, (axes,) = new_figure(title, size=(7.2, 4.2))
    spoken, data = [], dict[str, Sequence[object]]()
    for index, (way, accuracies) in enumerate(curves.items()):
        draw_line(axes, index, epochs, accuracies, way)
        spoken.append(
            f"{way}: {accuracies[0]:.1f} after epoch {epochs[0]}, {accuracies[-1]:.1f} after {epochs[-1]}"
        )
        data |= {f"{way}: epoch": list(epochs), f"{way}: validation accuracy (%)": list(accuracies)}
    label_axes(axes, "epoch", "validation accuracy (%)")
    axes.set_xticks(epochs)
    legend_below(figure, axes, 3)
    show_figure(figure, alt=f"{title}. Validation accuracy in per cent. {'; '.join(spoken)}.", data=data)


def plot_costs(title: str, groups: Mapping[str, Mapping[int, float]]) -> None:
    """Plot accuracy over the number of trained parameters, on a logarithmic axis.

    Args:
        title: the figure's title.
        groups: by method, the accuracy in per cent by the number of trained parameters; a method with
            several numbers, such as one per rank, becomes a line.
    """
    figure, (axes,) = new_figure(title, size=(7.2, 4.2))
    spoken, data = [], dict[str, Sequence[object]]()
    for index, (name, points) in enumerate(groups.items()):
        counts = sorted(points)
        accuracies = [points[count] for count in counts]
        draw_line(axes, index, counts, accuracies, name)
        values = ", ".join(f"{points[count]:.1f} with {count:,}" for count in counts)
        spoken.append(f"{name}: {values}")
        data |= {f"{name}: trained": counts, f"{name}: validation accuracy (%)": accuracies}
    axes.set_xscale("log")
    label_axes(axes, "trained parameters", "validation accuracy (%)")
    legend_below(figure, axes, 3)
    show_figure(
        figure, alt=f"{title}. Accuracy in per cent by trained parameters. {'; '.join(spoken)}.", data=data
    )

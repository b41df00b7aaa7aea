"""Figures of lab 08: staged pruning, weights kept by layer, gradient flow, accuracy by rule.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.plots.figure import COLOURS, draw_line, label_axes, legend_below, new_figure, show_figure
from labkit.training import EpochRecord

__all__ = ["plot_flow", "plot_kept", "plot_rules", "plot_stages", "pruning_epochs"]


def plot_stages(title: str, runs: Mapping[str, Sequence[EpochRecord]]) -> None:
    """Plot accuracy, loss and sparsity by epoch; a ring marks each epoch in which weights were pruned.

    Args:
        title: the figure's title.
        runs: records by name of the run, one colour each.
    """
    figure, panels = new_figure(title, columns=3, size=(8.8, 4.0))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for index, (name, records) in enumerate(runs.items()):
        pruned_in, series = pruning_epochs(records), _series(records)
        for axes, heights in zip(panels, series, strict=True):
            axes.plot(range(1, len(heights) + 1), heights, color=COLOURS[index], label=name)
            marked = [heights[epoch - 1] for epoch in pruned_in]
            axes.plot(pruned_in, marked, "o", color=COLOURS[index], markerfacecolor="white")
        data |= {
            f"{name}: accuracy (%)": series[0],
            f"{name}: loss (nats)": series[1],
            f"{name}: sparsity (%)": series[2],
            f"{name}: pruned in epoch": pruned_in,
        }
        spoken.append(
            f"{name}: pruned in epochs {', '.join(map(str, pruned_in)) or 'none'}, "
            f"last {series[0][-1]:.1f} % accuracy at {series[2][-1]:.1f} % sparsity"
        )
    labels = ("validation accuracy (%)", "training loss (nats)", "sparsity (%)")
    for axes, label in zip(panels, labels, strict=True):
        label_axes(axes, "epoch", label)
    legend_below(figure, panels[0], 4)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_kept(title: str, rules: Mapping[str, Mapping[str, float]]) -> None:
    """Plot the share of weights kept in every layer on a log axis, one line per rule.

    Args:
        title: the figure's title.
        rules: kept weights in per cent by layer, by rule; the same layers in each. A layer that
            keeps nothing is drawn at the bottom.
    """
    figure, (axes,) = new_figure(title, size=(8.4, 4.6))
    layers = list(next(iter(rules.values())))
    positive = [share for shares in rules.values() for share in shares.values() if share > 0]
    floor = min(positive, default=1.0) / 2
    for index, (name, shares) in enumerate(rules.items()):
        heights = [max(floor, shares[layer]) for layer in layers]
        draw_line(axes, index, layers, heights, name)
    axes.set_yscale("log")
    axes.tick_params(axis="x", labelrotation=90)
    label_axes(axes, "layer, from input to output", "weights kept (% of the layer)", legend=True)
    spoken = []
    for name, shares in rules.items():
        low, high = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
        spoken.append(f"{name}: from {shares[low]:.2g} % in {low} to {shares[high]:.2g} % in {high}")
    data: dict[str, Sequence[object]] = {"layer": layers}
    data |= {f"{name} (%)": [shares[layer] for layer in layers] for name, shares in rules.items()}
    show_figure(figure, alt=f"{title}. Weights kept by layer. {'; '.join(spoken)}.", data=data)


def plot_flow(title: str, rules: Mapping[str, Mapping[float, float]], *, unit: str) -> None:
    """Plot a positive quantity on a log axis against sparsity, one line per rule.

    Args:
        title: the figure's title.
        rules: value by sparsity in per cent, by rule; the same sparsities in each.
        unit: label of the vertical axis.
    """
    figure, (axes,) = new_figure(title, size=(7.6, 4.2))
    sparsities = sorted(next(iter(rules.values())))
    places = range(len(sparsities))
    for index, (name, points) in enumerate(rules.items()):
        heights = [points[sparsity] for sparsity in sparsities]
        draw_line(axes, index, places, heights, name)
    axes.axhline(1.0, color="#555555", linewidth=1)
    axes.set_yscale("log")
    axes.set_xticks(list(places), [f"{sparsity:g}" for sparsity in sparsities])
    label_axes(axes, "weights removed (%)", unit, legend=True)
    spoken = [
        f"{name}: {', '.join(f'{points[s]:.3g} at {s:g} %' for s in sparsities)}"
        for name, points in rules.items()
    ]
    data: dict[str, Sequence[object]] = {"sparsity (%)": sparsities}
    data |= {name: [points[sparsity] for sparsity in sparsities] for name, points in rules.items()}
    show_figure(figure, alt=f"{title}. {unit} by share removed. {'; '.join(spoken)}.", data=data)


def plot_rules(title: str, rules: Mapping[str, Sequence[float]], *, dense: float) -> None:
    """Plot the accuracy of each rule: the mean over seeds as a bar, every seed as a dot.

    Args:
        title: the figure's title.
        rules: accuracies in per cent, one per seed, by rule.
        dense: mean accuracy without pruning, drawn as a vertical line.
    """
    figure, (axes,) = new_figure(title, size=(7.6, 1.4 + 0.45 * len(rules)))
    means = [sum(seeds) / len(seeds) for seeds in rules.values()]
    axes.barh(list(rules), means, 0.6, color=COLOURS[4], label="mean")
    for row, seeds in enumerate(rules.values()):
        label = "one seed" if row == 0 else None
        axes.plot(seeds, [row] * len(seeds), "o", color=COLOURS[6], markersize=4, label=label)
    axes.axvline(dense, color="#555555", linestyle=":", label="not pruned")
    axes.invert_yaxis()
    axes.set_xlabel("accuracy (%)")
    legend_below(figure, axes, 3)
    spoken = [f"{name} {mean:.1f} %" for name, mean in zip(rules, means, strict=True)]
    data: dict[str, Sequence[object]] = {"rule": list(rules), "mean (%)": means}
    data["seeds (%)"] = [", ".join(f"{value:.1f}" for value in seeds) for seeds in rules.values()]
    alt = f"{title}. Mean accuracy: {', '.join(spoken)}; not pruned {dense:.1f} %."
    show_figure(figure, alt=alt, data=data)


def pruning_epochs(records: Sequence[EpochRecord]) -> list[int]:
    """Return the epochs, counted from 1, at whose end more weights were zero than before.

    >>> rows = [EpochRecord(epoch, 1.0, 1.0, 50.0, share, 1.0) for epoch, share in enumerate([0, 0.4, 0.4, 0.8])]
    >>> pruning_epochs(rows)
    [2, 4]
    """
    before = [0.0, *(record.sparsity for record in records)]
    # subtle: single weights become zero by chance; only a rise of more than 0.01 is pruning.
    return [
        record.epoch + 1
        for record, last in zip(records, before, strict=False)
        if record.sparsity > last + 0.01
    ]


def _series(records: Sequence[EpochRecord]) -> tuple[list[float], list[float], list[float]]:
    """Return validation accuracy, training loss and sparsity in per cent, one value per epoch."""
    return (
        [record.validation_top1 for record in records],
        [record.train_loss for record in records],
        [100 * record.sparsity for record in records],
    )

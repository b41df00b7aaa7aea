"""Figures of lab 08: staged pruning, weights kept by layer, gradient flow, cuts, accuracy by rule.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.plots.figure import COLOURS, draw_line, label_axes, legend_below, new_figure, show_figure
from labkit.training import Cut, EpochRecord

__all__ = [
    "plot_arms",
    "plot_cuts",
    "plot_flow",
    "plot_kept",
    "plot_rules",
    "plot_stages",
    "pruning_epochs",
]


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


def plot_kept(title: str, rules: Mapping[str, Mapping[str, int]]) -> None:
    """Plot how many weights of every layer are kept on a log axis, one line per rule.

    Args:
        title: the figure's title.
        rules: kept weights by layer, by rule; the same layers in each. A layer that keeps nothing is
            drawn at the bottom, below one weight.
    """
    figure, (axes,) = new_figure(title, size=(8.4, 4.6))
    layers = list(next(iter(rules.values())))
    for index, (name, counts) in enumerate(rules.items()):
        heights = [max(0.5, counts[layer]) for layer in layers]
        draw_line(axes, index, layers, heights, name)
    axes.set_yscale("log")
    axes.tick_params(axis="x", labelrotation=90)
    label_axes(axes, "layer, from input to output", "weights kept", legend=True)
    spoken = []
    for name, counts in rules.items():
        low, high = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        spoken.append(f"{name}: from {counts[low]} in {low} to {counts[high]} in {high}")
    data: dict[str, Sequence[object]] = {"layer": layers}
    data |= {name: [counts[layer] for layer in layers] for name, counts in rules.items()}
    show_figure(figure, alt=f"{title}. Weights kept by layer. {'; '.join(spoken)}.", data=data)


def plot_cuts(title: str, cuts: Mapping[str, Sequence[Cut]]) -> None:
    """Draw what each cut did on the calibration images: a ring before it, a dot after it.

    Args:
        title: the figure's title.
        cuts: by rule, in any number.
    """
    figure, panels = new_figure(title, columns=2, size=(8.6, 1.6 + 0.5 * len(cuts)))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for row, (name, measured) in enumerate(cuts.items()):
        colour = COLOURS[row % len(COLOURS)]
        series = {
            "accuracy (%)": [(cut.accuracy_before, cut.accuracy_after) for cut in measured],
            "loss (nats)": [(cut.loss_before, cut.loss_after) for cut in measured],
        }
        for axes, (quantity, pairs) in zip(panels, series.items(), strict=True):
            for place, (before, after) in enumerate(pairs):
                height = row + (place - (len(pairs) - 1) / 2) * 0.7 / max(1, len(pairs))
                axes.plot([before, after], [height] * 2, color=colour, linewidth=1)
                axes.plot(before, height, "o", color=colour, markerfacecolor="white")
                axes.plot(after, height, "o", color=colour)
            data[f"{name}: {quantity} before"] = [before for before, _ in pairs]
            data[f"{name}: {quantity} after"] = [after for _, after in pairs]
        spoken.append(
            f"{name}: "
            + ", ".join(f"{cut.accuracy_before:.0f} to {cut.accuracy_after:.0f} %" for cut in measured)
        )
    for axes, label in zip(panels, ("accuracy (%)", "loss (nats)"), strict=True):
        axes.set_yticks(range(len(cuts)), list(cuts) if axes is panels[0] else [""] * len(cuts))
        axes.invert_yaxis()
        axes.set_xlabel(label)
    show_figure(figure, alt=f"{title}. Accuracy before and after each cut. {'; '.join(spoken)}.", data=data)


def plot_arms(title: str, ways: Mapping[str, Mapping[str, Sequence[Sequence[EpochRecord]]]]) -> None:
    """Plot validation accuracy by epoch after the last cut: the mean over seeds, and the seeds pale.

    Args:
        title: the figure's title.
        ways: for each panel the runs of each arm, one per seed. Epochs before the learning rate's
            schedule (``lead``) count as negative.
    """
    figure, panels = new_figure(title, columns=len(ways), size=(4.4 * len(ways), 4.2))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for axes, (way, arms) in zip(panels, ways.items(), strict=True):
        for index, (arm, runs) in enumerate(arms.items()):
            leads = [sum(record.lead for record in run) for run in runs]
            after = [[record.validation_top1 for record in run if not record.lead] for run in runs]
            for run, lead in zip(runs, leads, strict=True):
                places = range(1 - lead, len(run) - lead + 1)
                heights = [record.validation_top1 for record in run]
                axes.plot(places, heights, color=COLOURS[index], linewidth=0.7, alpha=0.4)
            mean = [sum(values) / len(values) for values in zip(*after, strict=False)]
            axes.plot(range(1, len(mean) + 1), mean, color=COLOURS[index], linewidth=2, label=arm)
            data[f"{way}, {arm}: mean (%)"] = mean
            data[f"{way}, {arm}: epochs before the last cut"] = leads
            spoken.append(f"{way}, {arm}: {mean[-1]:.1f} %")
        axes.axvline(0.5, color="#555555", linestyle=":", linewidth=1)
        axes.set_title(way, fontsize=10)
        label_axes(axes, "epoch after the last cut", "validation accuracy (%)")
    legend_below(figure, panels[0], 4)
    show_figure(figure, alt=f"{title}. Mean of the last epoch. {'; '.join(spoken)}.", data=data)


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

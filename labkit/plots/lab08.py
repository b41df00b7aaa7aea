"""Figures of lab 08: staged training, what each layer keeps, gradient flow, accuracy by rule.

Every function draws, writes alt text from the numbers it was given, and shows the figure.
Leaves out: measuring anything; the title, which is the claim, comes from the notebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.plots.figure import COLOURS, MARKERS, new_figure, show_figure
from labkit.training import EpochRecord

__all__ = ["plot_flow", "plot_kept", "plot_rules", "plot_stages", "pruning_epochs"]

Points = Mapping[float, float]


def plot_stages(title: str, runs: Mapping[str, Sequence[EpochRecord]]) -> None:
    """Accuracy, loss and sparsity by epoch; a ring marks each epoch in which weights were pruned.

    Args:
        title: the claim.
        runs: records by name of the run, one colour each.
    """
    figure, panels = new_figure(title, columns=3, size=(8.8, 4.0))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for index, (name, records) in enumerate(runs.items()):
        moments, found = pruning_epochs(records), _series(records)
        for axes, heights in zip(panels, found, strict=True):
            axes.plot(range(1, len(heights) + 1), heights, color=COLOURS[index], label=name)
            marked = [heights[epoch - 1] for epoch in moments]
            axes.plot(moments, marked, "o", color=COLOURS[index], markerfacecolor="white")
        data |= {
            f"{name}: accuracy (%)": found[0],
            f"{name}: loss (nats)": found[1],
            f"{name}: sparsity (%)": found[2],
            f"{name}: pruned in epoch": moments,
        }
        spoken.append(
            f"{name}: pruned in epochs {', '.join(map(str, moments)) or 'none'}, "
            f"last {found[0][-1]:.1f} % accuracy at {found[2][-1]:.1f} % sparsity"
        )
    labels = ("validation accuracy (%)", "training loss (nats)", "sparsity (%)")
    for axes, label in zip(panels, labels, strict=True):
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_kept(title: str, rules: Mapping[str, Mapping[str, float]]) -> None:
    """Share of weights kept in every layer on a logarithmic axis, one line a rule.

    Args:
        title: the claim.
        rules: kept weights in per cent by layer, by rule; the same layers in each. A layer that
            keeps nothing is drawn at the bottom.
    """
    figure, (axes,) = new_figure(title, size=(8.4, 4.6))
    layers = list(next(iter(rules.values())))
    positive = [share for shares in rules.values() for share in shares.values() if share > 0]
    floor = min(positive, default=1.0) / 2
    for index, (name, shares) in enumerate(rules.items()):
        heights = [max(floor, shares[layer]) for layer in layers]
        axes.plot(layers, heights, color=COLOURS[index], marker=MARKERS[index], label=name)
    axes.set_yscale("log")
    axes.tick_params(axis="x", labelrotation=90)
    axes.set_xlabel("layer, from input to output")
    axes.set_ylabel("weights kept (% of the layer)")
    axes.legend(fontsize=9, frameon=False)
    spoken = []
    for name, shares in rules.items():
        low, high = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
        spoken.append(f"{name}: from {shares[low]:.2g} % in {low} to {shares[high]:.2g} % in {high}")
    data: dict[str, Sequence[object]] = {"layer": layers}
    data |= {f"{name} (%)": [shares[layer] for layer in layers] for name, shares in rules.items()}
    show_figure(figure, alt=f"{title}. Weights kept by layer. {'; '.join(spoken)}.", data=data)


def plot_flow(title: str, rules: Mapping[str, Points], *, unit: str) -> None:
    """A positive quantity against sparsity, one line a rule, on a logarithmic axis.

    Args:
        title: the claim.
        rules: value by sparsity in per cent, by rule; the same sparsities in each.
        unit: label of the vertical axis.
    """
    figure, (axes,) = new_figure(title, size=(7.6, 4.2))
    sparsities = sorted(next(iter(rules.values())))
    places = range(len(sparsities))
    for index, (name, points) in enumerate(rules.items()):
        heights = [points[sparsity] for sparsity in sparsities]
        axes.plot(places, heights, color=COLOURS[index], marker=MARKERS[index], label=name)
    axes.axhline(1.0, color="#555555", linewidth=1)
    axes.set_yscale("log")
    axes.set_xticks(list(places), [f"{sparsity:g}" for sparsity in sparsities])
    axes.set_xlabel("weights removed (%)")
    axes.set_ylabel(unit)
    axes.legend(fontsize=9, frameon=False)
    spoken = [
        f"{name}: {', '.join(f'{points[s]:.3g} at {s:g} %' for s in sparsities)}"
        for name, points in rules.items()
    ]
    data: dict[str, Sequence[object]] = {"sparsity (%)": sparsities}
    data |= {name: [points[sparsity] for sparsity in sparsities] for name, points in rules.items()}
    show_figure(figure, alt=f"{title}. {unit} by share removed. {'; '.join(spoken)}.", data=data)


def plot_rules(title: str, rules: Mapping[str, Sequence[float]], *, dense: float) -> None:
    """Accuracy of each rule: the mean over seeds as a bar, every seed as a dot.

    Args:
        title: the claim.
        rules: accuracies in per cent, one a seed, by rule.
        dense: mean accuracy without pruning, drawn as a vertical line.
    """
    figure, (axes,) = new_figure(title, size=(7.6, 1.4 + 0.45 * len(rules)))
    means = [sum(found) / len(found) for found in rules.values()]
    axes.barh(list(rules), means, 0.6, color=COLOURS[4], label="mean")
    for row, found in enumerate(rules.values()):
        label = "one seed" if row == 0 else None
        axes.plot(found, [row] * len(found), "o", color=COLOURS[6], markersize=4, label=label)
    axes.axvline(dense, color="#555555", linestyle=":", label="not pruned")
    axes.invert_yaxis()
    axes.set_xlabel("accuracy (%)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    spoken = [f"{name} {mean:.1f} %" for name, mean in zip(rules, means, strict=True)]
    data: dict[str, Sequence[object]] = {"rule": list(rules), "mean (%)": means}
    data["seeds (%)"] = [", ".join(f"{value:.1f}" for value in found) for found in rules.values()]
    alt = f"{title}. Mean accuracy: {', '.join(spoken)}; not pruned {dense:.1f} %."
    show_figure(figure, alt=alt, data=data)


def pruning_epochs(records: Sequence[EpochRecord]) -> list[int]:
    """The epochs, counted from 1, at whose end more weights were zero than before.

    >>> rows = [EpochRecord(epoch, 1.0, 1.0, 50.0, share, 1.0) for epoch, share in enumerate([0, 0.4, 0.4, 0.8])]
    >>> pruning_epochs(rows)
    [2, 4]
    """
    before = [0.0, *(record.sparsity for record in records)]
    # subtle: a weight may happen to become zero, so a cut is a rise of more than a hundredth.
    return [
        record.epoch + 1
        for record, last in zip(records, before, strict=False)
        if record.sparsity > last + 0.01
    ]


def _series(records: Sequence[EpochRecord]) -> tuple[list[float], list[float], list[float]]:
    """Validation accuracy, training loss and sparsity in per cent, one value an epoch."""
    return (
        [record.validation_top1 for record in records],
        [record.train_loss for record in records],
        [100 * record.sparsity for record in records],
    )

"""Figures of lab 02: what pruning does to accuracy, to layers and to filters.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from matplotlib.patches import Rectangle
from torch import Tensor

from labkit.plots.figure import (
    COLOURS,
    REPORTED,
    draw_line,
    label_axes,
    legend_below,
    new_figure,
    show_figure,
)
from labkit.plots.images import draw_image
from labkit.training import EpochRecord

__all__ = [
    "plot_accuracy",
    "plot_epochs",
    "plot_filter_norms",
    "plot_layers",
    "plot_network",
    "plot_retraining",
    "plot_training",
    "plot_verdicts",
]

Points = Iterable[tuple[float, float]]


def plot_network(title: str, weights: Mapping[str, Tensor]) -> None:
    """Draw every layer as a square whose area is its number of weights, from input to output.

    Args:
        title: the figure's title.
        weights: by layer, in order, such as "layer1.0.conv1.weight"; the first part names the stage.
    """
    figure, (axes,) = new_figure(title, size=(8.8, 3.4))
    stages = list(dict.fromkeys(name.split(".")[0] for name in weights))
    left, places = 0.0, []
    for name, weight in weights.items():
        side = weight.numel() ** 0.5
        colour = COLOURS[stages.index(name.split(".")[0]) % len(COLOURS)]
        axes.add_patch(Rectangle((left, 0), side, side, color=colour, alpha=0.75))
        axes.text(
            left + side / 2,
            side + 6,
            f"{weight.numel():,}",
            ha="center",
            va="bottom",
            rotation=90,
            fontsize=8,
        )
        places.append(left + side / 2)
        left += side + 16
    axes.set(xlim=(-10, left), ylim=(0, 290), yticks=[], aspect="equal")
    axes.set_xticks(places, [name.removesuffix(".weight") for name in weights], rotation=90, fontsize=8)
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    label_axes(axes, "layer, from input to output", "area: number of weights")
    sizes = [weight.numel() for weight in weights.values()]
    show_figure(
        figure,
        alt=f"{title}. {len(sizes)} layers with {min(sizes):,} to {max(sizes):,} weights, "
        f"{sum(sizes):,} in all.",
        data={"layer": list(weights), "weights": sizes},
    )


def plot_verdicts(title: str, images: Tensor, labels: Tensor, verdicts: Mapping[str, Tensor]) -> None:
    """Show images with their labels, and below each what several networks take it for.

    Args:
        title: the figure's title.
        images: ``(n, 3, h, w)`` uint8.
        labels: ``(n,)``, the right classes.
        verdicts: the predicted classes ``(n,)`` by network; a wrong one is red, in bold and in brackets.
    """
    count = len(images)
    figure, axes = new_figure(title, columns=count, size=(0.72 * count + 1.1, 1.6 + 0.2 * len(verdicts)))
    for axis, image, label in zip(axes, images, labels.tolist(), strict=True):
        draw_image(axis, image)
        axis.set_title(f"{label}", fontsize=11)
    for row, (name, classes) in enumerate(verdicts.items()):
        height = -0.3 - 0.32 * row
        axes[0].text(-0.25, height, name, transform=axes[0].transAxes, ha="right", fontsize=9)
        for axis, predicted, label in zip(axes, classes.tolist(), labels.tolist(), strict=True):
            wrong: dict[str, Any] = {"color": COLOURS[1], "weight": "bold"} if predicted != label else {}
            text = f"[{predicted}]" if predicted != label else f"{predicted}"
            axis.text(0.5, height, text, transform=axis.transAxes, ha="center", fontsize=10, **wrong)
    wrong_counts = [int((classes.cpu() != labels.cpu()).sum()) for classes in verdicts.values()]
    spoken = [f"{name} {wrong} wrong" for name, wrong in zip(verdicts, wrong_counts, strict=True)]
    show_figure(
        figure,
        alt=f"{title}. {count} images; of these {', '.join(spoken)}.",
        data={"label": labels.tolist()} | {name: classes.tolist() for name, classes in verdicts.items()},
    )


def plot_training(title: str, records: Sequence[EpochRecord]) -> None:
    """Plot loss and validation accuracy over the epochs of one training run.

    Args:
        title: the figure's title.
        records: one per epoch, in order; none for a network that was not trained here, which is said in
            the place of the figure.
    """
    if not records:
        print(f"{title}: not done here, so there is no record of it.")  # noqa: T201
        return
    figure, (left, right) = new_figure(title, columns=2, size=(8.2, 3.4))
    epochs = [record.epoch + 1 for record in records]
    train = [record.train_loss for record in records]
    validation = [record.validation_loss for record in records]
    top1 = [record.validation_top1 for record in records]
    left.plot(epochs, train, color=COLOURS[0], label="training")
    left.plot(epochs, validation, color=COLOURS[1], linestyle="--", label="validation")
    label_axes(left, "epoch", "loss (nats)", legend=True)
    right.plot(epochs, top1, color=COLOURS[1], linestyle="--")
    label_axes(right, "epoch", "validation accuracy (%)")
    show_figure(
        figure,
        alt=f"{title}. Over {epochs[-1]} epochs the training loss goes from {train[0]:.2f} to {train[-1]:.2f} "
        f"nats, validation accuracy from {top1[0]:.1f} to {top1[-1]:.1f} %.",
        data={
            "epoch": epochs,
            "training loss (nats)": train,
            "validation loss (nats)": validation,
            "validation accuracy (%)": top1,
        },
    )


def plot_accuracy(
    title: str,
    curves: Mapping[str, Points],
    *,
    reference: Mapping[str, Points] | None = None,
    dense: float,
    zoom: bool = False,
    losses: Mapping[str, Points] | None = None,
) -> None:
    """Plot test accuracy against sparsity, one line per method; reported results are dotted.

    Args:
        title: the figure's title.
        curves: (sparsity in per cent, accuracy in per cent) pairs by method; a single pair is a marker.
        reference: the same, as others reported it.
        dense: accuracy of the unpruned network in per cent, drawn as a horizontal line.
        zoom: whether a second panel shows only the range around ``dense``.
        losses: (sparsity in per cent, loss in nats) pairs by method; drawn in a panel of their own.
    """
    columns = 1 + zoom + bool(losses)
    figure, panels = new_figure(title, columns=columns, size=(8.8, 4.4) if columns > 1 else (8.0, 4.4))
    measured = {name: sorted(points) for name, points in curves.items()}
    reported = {name: sorted(points) for name, points in (reference or {}).items()}
    loss_points = {name: sorted(points) for name, points in (losses or {}).items()}
    for axes in panels[: 1 + zoom]:
        axes.axhline(dense, color="#555555", linewidth=1, label="dense network")
        for index, (name, points) in enumerate((measured | reported).items()):
            x, y = [point[0] for point in points], [point[1] for point in points]
            draw_line(axes, index, x, y, name, **(REPORTED if name in reported else {}))
        label_axes(
            axes, "sparsity (% of weights at zero)", "test accuracy (%)" if axes is panels[0] else ""
        )
    if zoom:
        panels[1].set_ylim(dense - 4, dense + 2)
        panels[1].set_title("close to the dense network", fontsize=10)
    for index, (name, pairs) in enumerate(loss_points.items()):
        draw_line(panels[-1], index, [pair[0] for pair in pairs], [pair[1] for pair in pairs], name)
    if loss_points:
        label_axes(panels[-1], "sparsity (% of weights at zero)", "test loss (nats)")
    legend_below(figure, panels[0], 4)
    spoken = [f"{name}: {_spoken(points)}" for name, points in (measured | reported).items()]
    data = {name: [list(point) for point in points] for name, points in (measured | reported).items()}
    data |= {f"{name}: loss": [list(pair) for pair in pairs] for name, pairs in loss_points.items()}
    show_figure(figure, alt=f"{title}. Test accuracy by sparsity. {'. '.join(spoken)}.", data=data)


def plot_layers(title: str, rules: Mapping[str, Mapping[str, float]]) -> None:
    """Plot the sparsity of every layer, one line per rule.

    Args:
        title: the figure's title.
        rules: sparsity in per cent by layer, by rule; the same layers in each.
    """
    figure, (axes,) = new_figure(title, size=(8.4, 4.8))
    layers = list(next(iter(rules.values())))
    for index, (name, sparsity) in enumerate(rules.items()):
        heights = [sparsity[layer] for layer in layers]
        draw_line(axes, index, layers, heights, name)
    axes.tick_params(axis="x", labelrotation=90)
    axes.set_ylim(-3, 103)
    label_axes(axes, "layer, from input to output", "sparsity (% of the layer)", legend=True)
    spoken = []
    for name, sparsity in rules.items():
        low, high = min(sparsity, key=sparsity.__getitem__), max(sparsity, key=sparsity.__getitem__)
        spoken.append(f"{name}: from {sparsity[low]:.1f} % in {low} to {sparsity[high]:.1f} % in {high}")
    data: dict[str, Sequence[object]] = {"layer": layers}
    data |= {f"{name} (%)": [sparsity[layer] for layer in layers] for name, sparsity in rules.items()}
    show_figure(figure, alt=f"{title}. {'. '.join(spoken)}.", data=data)


def plot_filter_norms(
    title: str, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor], layers: Sequence[str]
) -> None:
    """Plot the L2 norm of each output filter: dense, pruned, and if whole filters were removed.

    Args:
        title: the figure's title.
        weights: ``(out, …)`` by layer.
        masks: bool, the weights' shapes, True where kept.
        layers: the layers to draw, one panel each.
    """
    figure, panels = new_figure(title, columns=len(layers), size=(8.6, 3.8))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for axes, layer in zip(panels, layers, strict=True):
        dense, pruned, structured = _sorted_norms(weights[layer], masks[layer])
        share = 100 * (1 - masks[layer].float().mean().item())
        axes.plot(dense, color=COLOURS[0], marker="o", markersize=3, label="dense")
        axes.plot(pruned, color=COLOURS[1], marker="s", markersize=3, label="weights pruned")
        axes.plot(structured, "x", color=COLOURS[6], markersize=3, label="if filters were pruned")
        axes.set_title(layer.removesuffix(".weight"), fontsize=10)
        label_axes(axes, "filter, by dense norm", "L2 norm" if axes is panels[0] else "")
        data |= {f"{layer} dense": dense, f"{layer} pruned": pruned, f"{layer} filters pruned": structured}
        zeros = sum(norm == 0 for norm in pruned)
        spoken.append(
            f"{layer}: {share:.0f} % of its weights pruned, {zeros} of {len(pruned)} filters at norm 0"
        )
    legend_below(figure, panels[0], 3)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_retraining(title: str, rows: Sequence[tuple[str, float, float, float]], *, dense: float) -> None:
    """Plot accuracy before and after retraining with fixed masks, joined by a line.

    Args:
        title: the figure's title.
        rows: (label, sparsity, accuracy before, accuracy after), all in per cent.
        dense: accuracy of the unpruned network in per cent.
    """
    figure, (axes,) = new_figure(title, size=(8.2, 4.4))
    _, sparsity, before, after = zip(*rows, strict=True)
    axes.axhline(dense, color="#555555", linewidth=1, label="dense network")
    axes.vlines(sparsity, before, after, color="#999999", linewidth=1.5)
    axes.plot(sparsity, before, "v", color=COLOURS[1], markersize=8, label="pruned, not retrained")
    axes.plot(
        sparsity, after, "o", color=COLOURS[0], markersize=8, label="after 20 epochs with fixed masks"
    )
    for index, (label, x, low, _) in enumerate(sorted(rows, key=lambda row: row[1])):
        side, gap = ("left", 8) if index % 2 else ("right", -8)  # labels of neighbours must not overlap
        axes.annotate(label, (x, low), (gap, -14), textcoords="offset points", ha=side, fontsize=9)
    axes.margins(x=0.16, y=0.12)
    label_axes(axes, "sparsity (% of weights at zero)", "test accuracy (%)", legend=True)
    spoken = [f"{label} at {x:.1f} %: {low:.1f} to {high:.1f} %" for label, x, low, high in rows]
    show_figure(
        figure,
        alt=f"{title}. Accuracy before and after retraining. {'; '.join(spoken)}.",
        data={
            "rule": [row[0] for row in rows],
            "sparsity (%)": sparsity,
            "before (%)": before,
            "after (%)": after,
        },
    )


def plot_epochs(title: str, runs: Mapping[str, Sequence[EpochRecord]]) -> None:
    """Plot validation accuracy, validation loss and sparsity over the epochs of several runs.

    Args:
        title: the figure's title.
        runs: records by name of the run.
    """
    figure, panels = new_figure(title, columns=3, size=(8.8, 3.8))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for index, (name, records) in enumerate(runs.items()):
        epochs = [record.epoch + 1 for record in records]
        top1 = [record.validation_top1 for record in records]
        loss = [record.validation_loss for record in records]
        sparsity = [100 * record.sparsity for record in records]
        for axes, heights in zip(panels, (top1, loss, sparsity), strict=True):
            line = ("-", "--", "-.", ":")[index % 4]
            axes.plot(epochs, heights, line, color=COLOURS[index], label=name)
        data |= {
            f"{name}: accuracy (%)": top1,
            f"{name}: loss (nats)": loss,
            f"{name}: sparsity (%)": sparsity,
        }
        lowest = min(top1)
        spoken.append(
            f"{name}: lowest {lowest:.1f} % in epoch {epochs[top1.index(lowest)]}, last {top1[-1]:.1f} %"
        )
    for axes, label in zip(
        panels, ("validation accuracy (%)", "validation loss (nats)", "sparsity (%)"), strict=True
    ):
        label_axes(axes, "epoch", label)
    legend_below(figure, panels[0], len(runs))
    show_figure(figure, alt=f"{title}. Validation accuracy by epoch. {'; '.join(spoken)}.", data=data)


def _spoken(points: Sequence[tuple[float, float]]) -> str:
    """Format points for alt text: ``92.6 % at 40 %``."""
    return ", ".join(f"{y:.1f} % at {x:.0f} %" for x, y in points)


def _sorted_norms(weight: Tensor, mask: Tensor) -> tuple[list[float], list[float], list[float]]:
    """Return the filters' norms, sorted by the dense ones: dense, masked, and whole filters removed."""
    filters = weight.detach().flatten(1).cpu()
    dense, order = filters.norm(dim=1).sort()
    masked = (filters * mask.flatten(1).cpu()).norm(dim=1)[order]
    removed = round(len(dense) * (1 - mask.float().mean().item()))
    structured = torch.where(torch.arange(len(dense)) < removed, 0.0, dense)
    return dense.tolist(), masked.tolist(), structured.tolist()

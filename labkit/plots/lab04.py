"""Figures of lab 04: a tensor through codebook and code, the cost of sharing, centroids, code lengths.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.plots.figure import (
    COLOURS,
    clear_frame,
    draw_line,
    label_axes,
    legend_below,
    new_figure,
    show_figure,
)

__all__ = [
    "plot_bits",
    "plot_centroids",
    "plot_histograms",
    "plot_lengths",
    "plot_matrices",
    "plot_tree",
]

GROUPS = ("#E4E4E4", "#A9CFE8", "#F3C19E", "#A5DBC8", "#E3C1D6", "#D5E9F7", "#F6DDA6")  # pale COLOURS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def plot_matrices(title: str, matrices: Mapping[str, tuple[NDArray[Any], Ints]]) -> None:
    """Draw small matrices side by side, a number or a word in each cell, coloured by group.

    Args:
        title: the figure's title.
        matrices: by name, the entries (n, m) and the group of each entry, from 0 up; a group has one
            colour in all matrices, and group 0 is grey.
    """
    columns = [entries.shape[1] for entries, _ in matrices.values()]
    rows = max(entries.shape[0] for entries, _ in matrices.values())
    size = (0.5 * sum(columns) + 0.7 * len(columns), 0.5 * rows + 0.8)
    figure, panels = new_figure(title, columns=len(matrices), size=(max(size[0], 7.0), size[1]))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for axes, (name, (entries, groups)) in zip(panels, matrices.items(), strict=True):
        words = [[_cell(entry) for entry in row] for row in entries]
        for (row, column), group in np.ndenumerate(groups):
            colour = GROUPS[group % len(GROUPS)]
            axes.fill_between([column, column + 1], row, row + 1, color=colour, edgecolor="white")
            axes.text(column + 0.5, row + 0.5, words[row][column], ha="center", va="center")
        axes.set(xlim=(0, entries.shape[1]), ylim=(rows, 0), aspect="equal")
        clear_frame(axes)
        axes.set_title(name, fontsize=10)
        data[name] = [word for line in words for word in line]
        spoken.append(f"{name}: {'; '.join(' '.join(line) for line in words)}")
    show_figure(figure, alt=f"{title}. By rows, {'. '.join(spoken)}.", data=data)


def _cell(entry: Any) -> str:
    """Return what a cell shows: words and integers as they are, other numbers with one or two decimals."""
    if isinstance(entry, float):
        return f"{entry:.1f}" if abs(entry - round(entry, 1)) < 1e-9 else f"{entry:.2f}"
    return str(entry)


def plot_bits(
    title: str, here: Mapping[int, float], reference: Mapping[int, float], *, dense: tuple[float, float]
) -> None:
    """Plot test accuracy against bits per index, here and as reported, each with its float network.

    Args:
        title: the figure's title.
        here: accuracy in per cent by bits.
        reference: the same, as others reported it.
        dense: accuracy without sharing, here and in the reference.
    """
    figure, (axes,) = new_figure(title, size=(7.0, 3.8))
    curves = {"here": here, "course B": reference}
    for index, ((name, points), level) in enumerate(zip(curves.items(), dense, strict=True)):
        colour, bits = COLOURS[index], sorted(points)
        axes.axhline(level, color=colour, linewidth=1, linestyle=":", label=f"{name}, 32-bit float")
        draw_line(axes, index, bits, [points[b] for b in bits], name)
    axes.set_xticks(sorted(here))
    label_axes(axes, "bits per index", "test accuracy (%)", legend=True)
    spoken = ", ".join(f"{here[b]:.2f} % at {b} bits" for b in sorted(here, reverse=True))
    reported = ", ".join(f"{reference[b]:.2f} % at {b}" for b in sorted(reference, reverse=True))
    show_figure(
        figure,
        alt=f"{title}. Test accuracy here: {spoken}; in float {dense[0]:.2f} %. Course B: {reported}.",
        data={
            "bits": list(here),
            "here (%)": list(here.values()),
            "reference (%)": [reference.get(bits) for bits in here],
        },
    )


def plot_histograms(title: str, before: Mapping[str, Floats], after: Mapping[str, Floats]) -> None:
    """Plot histograms of some layers' weights, and the few shared values as stems.

    Args:
        title: the figure's title.
        before: weights by layer, any shape.
        after: the same weights once shared.
    """
    figure, panels = new_figure(title, columns=len(before), size=(7.6, 3.4))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for axes, (layer, weight) in zip(panels, before.items(), strict=True):
        counts, edges = np.histogram(weight, bins=40)
        values, uses = np.unique(after[layer], return_counts=True)
        axes.stairs(counts, edges, color=COLOURS[4], fill=True, label="before: 40 bins")
        axes.vlines(values, 0, uses, color=COLOURS[1], linewidth=1.5, label="after: shared values")
        axes.plot(values, uses, "o", color=COLOURS[1], markersize=4)
        axes.set_title(layer, fontsize=10)
        label_axes(axes, "weight", "weights" if axes is panels[0] else "")
        data |= {f"{layer}: value": values.tolist(), f"{layer}: weights": uses.tolist()}
        spoken.append(
            f"{layer}: {weight.size} weights from {weight.min():.2f} to {weight.max():.2f} become "
            f"{len(values)} values from {values[0]:.2f} to {values[-1]:.2f}"
        )
    legend_below(figure, panels[0], 2)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_centroids(title: str, values: Floats, centroids: Mapping[str, tuple[Floats, Floats]]) -> None:
    """Plot the positions of the centroids below the histogram of a layer's nonzero weights.

    Args:
        title: the figure's title.
        values: the nonzero weights ``(n,)``.
        centroids: at the start and after all steps, by initialization.
    """
    figure, panels = new_figure(title, columns=len(centroids), size=(8.0, 3.4))
    data: dict[str, Sequence[object]] = {}
    spoken = []
    counts, edges = np.histogram(values, bins=80)
    for axes, (kind, (start, end)) in zip(panels, centroids.items(), strict=True):
        axes.stairs(counts, edges, color=COLOURS[4], fill=True, label="weights that were kept")
        below = -0.05 * counts.max()
        axes.plot(start, [below] * len(start), "|", color=COLOURS[6], markersize=9, label="at the start")
        axes.plot(end, [2 * below] * len(end), "|", color=COLOURS[1], markersize=9, label="after all steps")
        axes.set_title(kind, fontsize=10)
        label_axes(axes, "weight", "weights per bin" if axes is panels[0] else "")
        data |= {f"{kind}: start": start.tolist(), f"{kind}: end": end.tolist()}
        inner = [int((np.abs(places) < np.abs(values).min()).sum()) for places in (start, end)]
        spoken.append(
            f"{kind}: {inner[0]} of {len(start)} centroids in the gap, {inner[1]} after all steps"
        )
    legend_below(figure, panels[0], 3)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_tree(title: str, codes: Mapping[int, str], counts: Sequence[int], values: Sequence[float]) -> None:
    """Plot the binary tree of a prefix code, root at the left; each leaf with word, value and count.

    Args:
        title: the figure's title.
        codes: code words by symbol, at least two.
        counts: how often each symbol occurs.
        values: the weight that each symbol stands for.
    """
    figure, (axes,) = new_figure(title, size=(8.4, 0.5 * len(codes) + 1.4))
    leaves = sorted(codes, key=codes.__getitem__)
    heights = {codes[symbol]: -float(row) for row, symbol in enumerate(leaves)}
    deepest = max(map(len, heights))
    prefixes = {word[:end] for word in heights for end in range(len(word))}
    for node in sorted(prefixes, key=len, reverse=True):
        children = [(bit, node + bit) for bit in "01" if node + bit in heights]
        heights[node] = sum(heights[child] for _, child in children) / len(children)
        for bit, child in children:
            x, y = (len(node), len(node), len(child)), (heights[node], heights[child], heights[child])
            axes.plot(x, y, color=COLOURS[int(bit)], linewidth=1.5)
            axes.text(len(child) - 0.5, heights[child] + 0.12, bit, color=COLOURS[int(bit)], ha="center")
    axes.plot([len(node) for node in prefixes], [heights[node] for node in prefixes], "o", color="#555555")
    for symbol in leaves:
        place = (len(codes[symbol]), heights[codes[symbol]])
        axes.plot(*place, "s", color=COLOURS[2])
        text = f"  {codes[symbol]:<{deepest}}  {values[symbol]:+.3f}  {counts[symbol]} ×"
        axes.text(deepest, place[1], text, family="monospace", va="center")
        axes.plot((place[0], deepest), (place[1], place[1]), color="#999999", linewidth=0.7, linestyle=":")
    axes.set_xlim(-0.2, deepest * 1.75)
    axes.set_xticks(range(deepest + 1))
    axes.set_yticks([])
    label_axes(axes, "bits read", "")
    spoken = [f"{codes[s]} for {values[s]:+.3f}, {counts[s]} times" for s in leaves]
    data: dict[str, Sequence[object]] = {
        "code": [codes[s] for s in leaves],
        "count": [counts[s] for s in leaves],
        "value": [values[s] for s in leaves],
    }
    show_figure(figure, alt=f"{title}. The code words: {'; '.join(spoken)}.", data=data)


def plot_lengths(
    title: str, layers: Sequence[str], figures: Mapping[str, Sequence[tuple[float, float]]]
) -> None:
    """Plot average code length and entropy of every layer, one pair of lines per network.

    Args:
        title: the figure's title.
        layers: names, from input to output.
        figures: (average length, entropy) of each layer in bits, by network.
    """
    figure, (axes,) = new_figure(title, size=(7.4, 4.2))
    data: dict[str, Sequence[object]] = {"layer": list(layers)}
    spoken = []
    for index, (name, pairs) in enumerate(figures.items()):
        lengths, entropies = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        draw_line(axes, index, layers, lengths, f"{name}: average length")
        axes.plot(layers, entropies, color=COLOURS[index], linestyle=":", label=f"{name}: entropy")
        data |= {f"{name}: average length (bits)": lengths, f"{name}: entropy (bits)": entropies}
        gap = max(length - entropy for length, entropy in pairs)
        spoken.append(
            f"{name}: {min(lengths):.2f} to {max(lengths):.2f} bits, at most {gap:.2f} above the entropy"
        )
    axes.tick_params(axis="x", labelrotation=90)
    axes.set_ylim(bottom=0)
    label_axes(axes, "layer, from input to output", "bits per weight", legend=True)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)

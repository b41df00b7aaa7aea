"""Figures of lab 05: the pipeline, compression ratios, the parts of a file, accuracy against bytes.

Every function draws a figure, writes its alt text from the plotted numbers, and shows it. The notebook
measures the numbers and gives the title.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.plots.diagrams import ARROW, BOX, one_line
from labkit.plots.figure import COLOURS, draw_line, label_axes, legend_below, new_figure, show_figure
from labkit.profiling.pareto import Point, pareto_front

__all__ = ["plot_front", "plot_ledger", "plot_pipeline", "plot_ratios"]

KILOBYTES = (20_000, 30_000, 40_000, 60_000, 80_000, 100_000, 160_000)  # marks of the front's axis


def plot_pipeline(
    title: str, start: str, stages: Mapping[str, float | None], *, first: float | None
) -> None:
    """Draw the stages as boxes from left to right; on each arrow stands what the stage before it needs.

    Args:
        title: the figure's title.
        start: the text of the first box.
        stages: the bytes after each further box, by the box's text; None shows as a question mark.
        first: the bytes of the first box.
    """
    names, sizes = [start, *stages], [first, *stages.values()]
    figure, (axes,) = new_figure(title, size=(9.6, 1.7))
    axes.set(xlim=(-0.5, len(names) - 0.05), ylim=(-0.6, 0.5))
    axes.axis("off")
    for place, (name, size) in enumerate(zip(names, sizes, strict=True)):
        axes.text(place, 0, name, ha="center", va="center", fontsize=9.5, bbox=BOX)
        axes.annotate("", (place + 0.64, 0), (place + 0.38, 0), arrowprops=ARROW)
        axes.text(place + 0.5, -0.4, _kilobytes(size), ha="center", va="center", fontsize=9.5)
    spoken = ", ".join(
        f"{one_line(name)}: {_kilobytes(size)}" for name, size in zip(names, sizes, strict=True)
    )
    data: dict[str, Sequence[object]] = {"stage": [one_line(name) for name in names], "bytes": sizes}
    show_figure(
        figure, alt=f"{title}. Boxes joined by arrows, with the size after each. {spoken}.", data=data
    )


def plot_ratios(title: str, ratios: Mapping[str, Mapping[str, float]]) -> None:
    """Plot compression ratios as bars, one group per network, one colour per way to count.

    Args:
        title: the figure's title.
        ratios: times smaller than float32, by network and way; the same ways for each.
    """
    figure, (axes,) = new_figure(title, size=(8.0, 1.6 + 0.95 * len(ratios)))
    ways = list(next(iter(ratios.values())))
    height = 0.8 / len(ways)
    for index, way in enumerate(ways):
        places = [row + index * height for row in range(len(ratios))]
        widths = [by_way[way] for by_way in ratios.values()]
        bars = axes.barh(places, widths, 0.92 * height, color=COLOURS[index], label=way)
        axes.bar_label(bars, fmt="%.1f×", padding=3, fontsize=9)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(ratios))], list(ratios))
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("times smaller than the float32 state dict")
    legend_below(figure, axes, len(ways))
    spoken = [
        f"{network}: {', '.join(f'{value:.1f} by {way}' for way, value in by_way.items())}"
        for network, by_way in ratios.items()
    ]
    data: dict[str, Sequence[object]] = {"network": list(ratios)}
    data |= {way: [by_way[way] for by_way in ratios.values()] for way in ways}
    show_figure(figure, alt=f"{title}. Times smaller. {'; '.join(spoken)}.", data=data)


def plot_ledger(title: str, files: Mapping[str, Mapping[str, int]]) -> None:
    """Plot the bytes of each part of some files, one stacked bar per file.

    Args:
        title: the figure's title.
        files: bytes by file and part; a part that a file lacks is 0.
    """
    figure, (axes,) = new_figure(title, size=(8.4, 1.6 + 0.6 * len(files)))
    parts = list(dict.fromkeys(part for ledger in files.values() for part in ledger))
    left = [0] * len(files)
    for index, part in enumerate(parts):
        sizes = [ledger.get(part, 0) for ledger in files.values()]
        axes.barh(list(files), sizes, 0.6, left=left, color=COLOURS[index % len(COLOURS)], label=part)
        left = [start + size for start, size in zip(left, sizes, strict=True)]
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}")
    axes.set_xlabel("size (kB of 1,000 bytes)")
    legend_below(figure, axes, 4)
    spoken = [
        f"{name}, {sum(ledger.values())} bytes: {', '.join(f'{part} {size}' for part, size in ledger.items())}"
        for name, ledger in files.items()
    ]
    data: dict[str, Sequence[object]] = {"file": list(files)}
    data |= {f"{part} (bytes)": [ledger.get(part, 0) for ledger in files.values()] for part in parts}
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_front(
    title: str,
    networks: Mapping[str, Mapping[int, Point]],
    *,
    dense: float,
    marked: Mapping[str, Point],
) -> None:
    """Plot accuracy against bytes on a log axis, one line per network, and the Pareto front.

    Args:
        title: the figure's title.
        networks: (bytes, accuracy in per cent) by network and number of shared values.
        dense: accuracy of the uncompressed network in per cent.
        marked: up to four further points by name; they can be part of the front.
    """
    figure, (axes,) = new_figure(title, size=(8.4, 4.8))
    data: dict[str, Sequence[object]] = {}
    for index, (name, points) in enumerate(networks.items()):
        sizes, heights = zip(*(points[values] for values in sorted(points)), strict=True)
        draw_line(axes, index, sizes, heights, name, linewidth=1)
        data |= {f"{name}: values": sorted(points), f"{name} (bytes)": sizes, f"{name} (%)": heights}
    for name, point, marker, size in zip(marked, marked.values(), "*Pdv", (14, 10, 9, 9), strict=False):
        axes.plot(*point, marker, color=COLOURS[6], markersize=size, linestyle="none", label=name)
        data |= {f"{name} (bytes)": [point[0]], f"{name} (%)": [point[1]]}
    front = pareto_front([*marked.values(), *(p for points in networks.values() for p in points.values())])
    axes.plot(*zip(*front, strict=True), color="#999999", linewidth=5, alpha=0.4, zorder=0, label="front")
    axes.axhline(dense, color=COLOURS[6], linewidth=1, linestyle=":", label="dense, float32")
    axes.set_xscale("log")
    axes.set_xticks(KILOBYTES, [f"{size / 1000:g}" for size in KILOBYTES])
    axes.set_xticks([], minor=True)
    axes.set_xlim(0.9 * min(size for size, _ in front), None)
    label_axes(axes, "size of the file (kB of 1,000 bytes)", "validation accuracy (%)", legend=True)
    data |= {"front (bytes)": [size for size, _ in front], "front (%)": [height for _, height in front]}
    spoken = ", ".join(f"{height:.1f} % at {size:.0f} bytes" for size, height in front)
    show_figure(figure, alt=f"{title}. On the front: {spoken}; dense {dense:.1f} %.", data=data)


def _kilobytes(size: float | None) -> str:
    """Write a size in kB; a question mark stands for one that is not known yet."""
    return "? kB" if size is None else f"{size / 1000:,.1f} kB"

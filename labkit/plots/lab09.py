"""Figures of lab 09: a LASSO path, the errors of four rules, ratios, and what each network costs.

Every function draws, writes alt text from the numbers it was given, and shows the figure.
Leaves out: measuring anything; the title, which is the claim, comes from the notebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.plots.figure import COLOURS, MARKERS, new_figure, show_figure

__all__ = ["plot_costs", "plot_errors", "plot_gains", "plot_path"]


def plot_path(
    title: str, alphas: Sequence[float], counts: Sequence[int], searches: Mapping[str, tuple[float, int]]
) -> None:
    """How many channels are left at each alpha of the path, and where searches ended.

    Args:
        title: the claim.
        alphas: where the support changes, falling; 0 is left out.
        counts: nonzero β there.
        searches: (alpha, channels) by name.
    """
    figure, (axes,) = new_figure(title, size=(7.6, 3.8))
    steps = [(alpha, count) for alpha, count in zip(alphas, counts, strict=True) if alpha > 0]
    along, left = [alpha for alpha, _ in steps], [count for _, count in steps]
    axes.step(along, left, where="post", color=COLOURS[0], linewidth=1.2, label="the whole path")
    for index, (name, (alpha, count)) in enumerate(searches.items(), 1):
        axes.plot(alpha, count, MARKERS[index], color=COLOURS[index], markersize=8, label=name)
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_xlabel("alpha, falling along the path")
    axes.set_ylabel("channels with β ≠ 0")
    axes.legend(fontsize=9, frameon=False)
    spoken = ", ".join(f"{name}: {count} channels" for name, (_, count) in searches.items())
    alt = f"{title}. From {min(left)} to {max(left)} channels in {len(steps)} steps; {spoken}."
    data: dict[str, Sequence[object]] = {"alpha": along, "channels": left}
    data |= {name: list(found) for name, found in searches.items()}
    show_figure(figure, alt=alt, data=data)


def plot_errors(
    title: str,
    layers: Mapping[str, Mapping[str, Mapping[int, float]]],
    *,
    xlabel: str = "channels kept",
    ylabel: str = "error of the layer's output (%)",
) -> None:
    """Error against channels kept, one panel a layer, one line a rule, on the same logarithmic axis.

    Args:
        title: the claim.
        layers: per cent by layer, rule and number of channels.
        xlabel: what the numbers of channels are.
        ylabel: what the errors are.
    """
    figure, panels = new_figure(title, columns=len(layers), size=(4.6 * len(layers), 4.2))
    heights = [error for rules in layers.values() for errors in rules.values() for error in errors.values()]
    data: dict[str, Sequence[object]] = {}
    spoken = []
    for axes, (layer, rules) in zip(panels, layers.items(), strict=True):
        for index, (rule, errors) in enumerate(rules.items()):
            counts = sorted(errors)
            found = [errors[count] for count in counts]
            axes.plot(counts, found, color=COLOURS[index], marker=MARKERS[index], label=rule)
            data |= {f"{layer}: channels": counts, f"{layer}, {rule} (%)": found}
        axes.set_yscale("log")
        axes.set_ylim(0.8 * min(heights), 1.25 * max(heights))
        axes.set_title(layer, fontsize=10)
        axes.set_xlabel(xlabel)
        middle = sorted(next(iter(rules.values())))[len(next(iter(rules.values()))) // 2]
        told = ", ".join(f"{rule} {errors[middle]:.1f} %" for rule, errors in rules.items())
        spoken.append(f"{layer}, {middle} channels: {told}")
    panels[0].set_ylabel(ylabel)
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=4, fontsize=9)
    show_figure(figure, alt=f"{title}. {'; '.join(spoken)}.", data=data)


def plot_gains(title: str, gains: Mapping[str, Mapping[str, float]]) -> None:
    """Bars of dense divided by pruned, one group a quantity, one colour a network.

    Args:
        title: the claim.
        gains: how many times less, by network and quantity; the same quantities for each.
    """
    quantities = list(next(iter(gains.values())))
    figure, (axes,) = new_figure(title, size=(8.0, 1.6 + 0.6 * len(quantities)))
    height = 0.8 / len(gains)
    for index, (network, found) in enumerate(gains.items()):
        places = [row + index * height for row in range(len(quantities))]
        bars = axes.barh(places, list(found.values()), 0.92 * height, color=COLOURS[index], label=network)
        axes.bar_label(bars, fmt="%.1f×", padding=3, fontsize=9)
    axes.axvline(1, color=COLOURS[6], linewidth=1, linestyle=":")
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(quantities))], quantities)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("dense divided by pruned")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
    spoken = [
        f"{network}: {', '.join(f'{quantity} {gain:.1f}' for quantity, gain in found.items())}"
        for network, found in gains.items()
    ]
    data: dict[str, Sequence[object]] = {"quantity": quantities}
    data |= {network: list(found.values()) for network, found in gains.items()}
    show_figure(figure, alt=f"{title}. Times less: {'; '.join(spoken)}.", data=data)


def plot_costs(
    title: str,
    networks: Mapping[str, Mapping[str, Mapping[str, float | None]]],
    *,
    accuracy: str,
    costs: Sequence[str],
) -> None:
    """Accuracy against several costs, one panel a cost, one marker a network, one colour a data set.

    A cost that no network has is not drawn: its panel says so.

    Args:
        title: the claim.
        networks: quantities by data set, network and name; None where one could not be measured.
        accuracy: the name of the quantity that is plotted upwards.
        costs: the names of those plotted to the right, with units.
    """
    figure, panels = new_figure(title, columns=len(costs), size=(3.4 * len(costs), 4.4))
    rows = [(name, kind, found) for name, kinds in networks.items() for kind, found in kinds.items()]
    places = {kind: place for place, kind in enumerate(dict.fromkeys(kind for _, kind, _ in rows))}
    sets = list(networks)
    for axes, cost in zip(panels, costs, strict=True):
        for name, kind, found in rows:
            x, y = found[cost], found[accuracy]
            if x is not None and y is not None:
                colour, marker = COLOURS[sets.index(name)], MARKERS[places[kind]]
                axes.plot(x, y, marker, color=colour, linestyle="", label=f"{kind}, {name}")
        if all(found[cost] is None for _, _, found in rows):
            axes.text(0.5, 0.5, "not measurable here", ha="center", transform=axes.transAxes)
            axes.set_xticks([])
            axes.set_yticks([])
        axes.set_xlabel(cost)
    panels[0].set_ylabel(accuracy)
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(sets), fontsize=9)
    data: dict[str, Sequence[object]] = {"network": [f"{kind}, {name}" for name, kind, _ in rows]}
    data |= {which: [found[which] for _, _, found in rows] for which in (accuracy, *costs)}
    told = [
        f"{kind}, {name}: {', '.join(_told(which, found[which]) for which in (accuracy, *costs))}"
        for name, kind, found in rows
    ]
    show_figure(figure, alt=f"{title}. {'; '.join(told)}.", data=data)


def _told(name: str, value: float | None) -> str:
    """A quantity in words."""
    return f"{name} not measurable" if value is None else f"{name} {value:.1f}"

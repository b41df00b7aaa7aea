"""Allocation: a sparsity for each layer that meets one for the whole network, from a sensitivity scan.

Leaves out: the scan itself (sensitivity), and which weights of a layer go (magnitude).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["SensitivityScan", "greedy_sparsities"]


@dataclass(frozen=True)
class SensitivityScan:
    """Accuracy and loss with one layer pruned, the others whole.

    ``accuracies[i][j]`` (top-1, per cent) and ``losses[i][j]`` (mean cross-entropy, nats) are those
    with the weight ``names[i]`` pruned by magnitude to ``sparsities[j]``.
    """

    names: tuple[str, ...]
    sparsities: tuple[float, ...]
    accuracies: tuple[tuple[float, ...], ...]
    losses: tuple[tuple[float, ...], ...]


def greedy_sparsities(
    scan: SensitivityScan, weight_counts: Mapping[str, int], target: float
) -> dict[str, float]:
    """A sparsity for each layer that removes the share ``target`` of all weights, by marginal loss.

    All layers start at 0. Each step raises one layer to one of its scanned levels: the step of least
    loss added per weight removed (levels may be jumped over; of equal steps the first layer's). The
    last step is cut short so that ``target · n`` weights are removed, before each layer's own
    rounding to whole weights. The losses of layers pruned alone are taken to add up.

    Args:
        scan: its first sparsity is 0.
        weight_counts: number of weights of each layer of the scan.
        target: share of all weights to remove, at most the last sparsity of the scan.

    Raises:
        ValueError: if the scan does not start at 0 or holds a loss that is not finite, its names are
            not those of ``weight_counts``, or ``target`` is outside what it scanned.

    >>> scan = SensitivityScan(("a", "b"), (0.0, 0.8), ((99, 90), (99, 98)), ((0.1, 0.9), (0.1, 0.2)))
    >>> greedy_sparsities(scan, {"a": 100, "b": 100}, 0.5)
    {'a': 0.2, 'b': 0.8}
    """
    _require_usable(scan, weight_counts, target)
    chosen = dict.fromkeys(scan.names, 0)  # positions in scan.sparsities
    left = target * sum(weight_counts.values())
    while True:
        name, level = min(_steps(scan, chosen), key=lambda step: _price(scan, weight_counts, chosen, *step))
        count, now = weight_counts[name], scan.sparsities[chosen[name]]
        removed = (scan.sparsities[level] - now) * count
        if removed >= left - 1e-3:  # subtle: float64 sums miss the target by fractions of a weight
            sparsities = {key: scan.sparsities[position] for key, position in chosen.items()}
            return sparsities | {name: min(now + left / count, scan.sparsities[level])}
        left -= removed
        chosen[name] = level


def _steps(scan: SensitivityScan, chosen: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Every layer with every level above its present one."""
    for name, position in chosen.items():
        for level in range(position + 1, len(scan.sparsities)):
            yield name, level


def _price(
    scan: SensitivityScan, counts: Mapping[str, int], chosen: Mapping[str, int], name: str, level: int
) -> float:
    """Loss added per weight removed by raising ``name`` to ``level``."""
    losses, position = scan.losses[scan.names.index(name)], chosen[name]
    removed = counts[name] * (scan.sparsities[level] - scan.sparsities[position])
    return (losses[level] - losses[position]) / removed


def _require_usable(scan: SensitivityScan, counts: Mapping[str, int], target: float) -> None:
    if set(scan.names) != set(counts) or min(counts.values()) < 1:
        raise ValueError(f"weight_counts are for {sorted(counts)}, the scan is of {sorted(scan.names)}.")
    if scan.sparsities[0] != 0 or len(scan.sparsities) < 2:
        raise ValueError(f"the scan must start at sparsity 0 and go on; it has {scan.sparsities}.")
    if not all(math.isfinite(loss) for row in scan.losses for loss in row):
        raise ValueError("the scan holds a loss that is not finite; repair the model and scan again.")
    if not 0 <= target <= scan.sparsities[-1]:
        raise ValueError(
            f"target is a share in [0, {scan.sparsities[-1]}], as far as scanned; got {target}."
        )

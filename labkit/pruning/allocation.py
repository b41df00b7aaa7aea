"""Allocation: sparsities of the layers that add up to a target for the network, from a sensitivity scan."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["SensitivityScan", "greedy_sparsities"]


@dataclass(frozen=True)
class SensitivityScan:
    """Accuracy and loss of a network with one layer pruned and the others dense.

    ``accuracies[i][j]`` (top-1, per cent) and ``losses[i][j]`` (mean cross-entropy, nats) are measured
    with the weight ``names[i]`` pruned by magnitude to ``sparsities[j]``.
    """

    names: tuple[str, ...]
    sparsities: tuple[float, ...]
    accuracies: tuple[tuple[float, ...], ...]
    losses: tuple[tuple[float, ...], ...]


def greedy_sparsities(
    scan: SensitivityScan, weight_counts: Mapping[str, int], target: float
) -> dict[str, float]:
    """Choose the sparsity of each layer by marginal loss so that a share ``target`` of all weights goes.

    All layers start at 0. Each step raises one layer to one of its scanned levels: the step that adds
    least loss per weight removed (levels may be skipped; of equal steps, that of the first layer). The
    last step is shortened so that ``target · n`` weights are removed, before each layer rounds to whole
    weights. The losses of layers pruned alone are assumed to add up.

    Args:
        scan: must start at sparsity 0.
        weight_counts: number of weights of each layer, by name.
        target: share of all weights to remove, at most the last sparsity of the scan.

    Raises:
        ValueError: if the scan does not start at 0 or contains a loss that is not finite, if its names
            differ from ``weight_counts``, or if ``target`` is outside the scanned range.

    >>> scan = SensitivityScan(("a", "b"), (0.0, 0.8), ((99, 90), (99, 98)), ((0.1, 0.9), (0.1, 0.2)))
    >>> greedy_sparsities(scan, {"a": 100, "b": 100}, 0.5)
    {'a': 0.2, 'b': 0.8}
    """
    _require_usable(scan, weight_counts, target)
    levels = dict.fromkeys(scan.names, 0)  # positions in scan.sparsities
    left = target * sum(weight_counts.values())
    while True:
        name, level = min(_steps(scan, levels), key=lambda step: _price(scan, weight_counts, levels, *step))
        count, now = weight_counts[name], scan.sparsities[levels[name]]
        removed = (scan.sparsities[level] - now) * count
        if removed >= left - 1e-3:  # subtle: float64 sums miss the target by fractions of a weight
            sparsities = {key: scan.sparsities[position] for key, position in levels.items()}
            return sparsities | {name: min(now + left / count, scan.sparsities[level])}
        left -= removed
        levels[name] = level


def _steps(scan: SensitivityScan, levels: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Yield every layer with every level above its current one."""
    for name, position in levels.items():
        for level in range(position + 1, len(scan.sparsities)):
            yield name, level


def _price(
    scan: SensitivityScan, counts: Mapping[str, int], levels: Mapping[str, int], name: str, level: int
) -> float:
    """Return the loss added per weight removed if layer ``name`` is raised to ``level``."""
    losses, position = scan.losses[scan.names.index(name)], levels[name]
    removed = counts[name] * (scan.sparsities[level] - scan.sparsities[position])
    return (losses[level] - losses[position]) / removed


def _require_usable(scan: SensitivityScan, counts: Mapping[str, int], target: float) -> None:
    """Refuse scans and targets that :func:`greedy_sparsities` cannot use."""
    if set(scan.names) != set(counts) or min(counts.values()) < 1:
        raise ValueError(f"weight_counts has the layers {sorted(counts)}, the scan {sorted(scan.names)}.")
    if scan.sparsities[0] != 0 or len(scan.sparsities) < 2:
        raise ValueError(f"the scan must have sparsity 0 and at least one more, got {scan.sparsities}.")
    if not all(math.isfinite(loss) for row in scan.losses for loss in row):
        raise ValueError("the scan contains a loss that is not finite; retrain the model and scan again.")
    if not 0 <= target <= scan.sparsities[-1]:
        raise ValueError(f"target must be in [0, {scan.sparsities[-1]}], the scanned range, got {target}.")

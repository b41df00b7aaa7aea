"""The start of one-dimensional k-means: four initializations, from sorted values and prefix sums.

On sorted values a cluster is an interval: its sum is the difference of two prefix sums, and its ends
are found by bisection. Leaves out: Lloyd's algorithm and assignment
(:mod:`labkit.quantization.kmeans`).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "INITIALIZATIONS",
    "Initialization",
    "SortedValues",
    "initial_centroids",
    "interval_ends",
    "is_first",
    "midpoints",
    "require_valid",
    "sort",
    "sorted_values",
    "start_of_sorted",
]

Floats = NDArray[np.float64]
Initialization = Literal["linear", "kmeans++", "random", "density"]

INITIALIZATIONS: tuple[Initialization, ...] = ("linear", "kmeans++", "random", "density")


@dataclass(frozen=True)
class SortedValues:
    """Ascending values less their mean (small sums lose the fewest digits), and prefix sums from 0."""

    values: Floats
    offset: float

    @cached_property
    def sums(self) -> Floats:
        """``(n + 1,)``: the sum of the first i values."""
        sums = np.zeros(len(self.values) + 1)
        self.values.cumsum(out=sums[1:])
        return sums

    @cached_property
    def squares(self) -> Floats:
        """``(n + 1,)``: the sum of their squares; only k-means++ asks for it."""
        return np.append(0.0, (self.values**2).cumsum())


def initial_centroids(
    values: NDArray[Any], clusters: int, initialization: Initialization, *, seed: int = 0
) -> Floats:
    """Return the centroids with which k-means starts: ``(clusters,)`` float64, ascending.

    ``linear``: evenly spaced from the smallest to the largest value (Han et al. 2016, section 3.2).
    ``random``: values drawn without replacement. ``kmeans++``: values drawn one by one, each with
    probability proportional to its squared distance from those before (Arthur and Vassilvitskii
    2007, section 2.2). ``density``: as dense as the cube root of the values' density, the optimum
    for many clusters (Panter and Dite 1951).

    Args:
        values: at least one, finite.
        clusters: at least 1; for ``random`` at most the number of values.
        initialization: one of the four.
        seed: of those that draw.

    Raises:
        ValueError: if an argument is not as above.

    >>> initial_centroids(np.array([0.0, 3.0, 9.0]), 4, "linear")
    array([0., 3., 6., 9.])
    """
    require_valid(values, clusters, initialization)
    if not values.size or (initialization == "random" and clusters > values.size):
        raise ValueError(f"cannot start {clusters} clusters ({initialization}) from {values.size} values.")
    data = sorted_values(sort(values))
    return start_of_sorted(data, clusters, initialization, seed) + data.offset


def start_of_sorted(data: SortedValues, clusters: int, initialization: Initialization, seed: int) -> Floats:
    """:func:`initial_centroids` of values that are sorted already, relative to their offset."""
    if initialization == "linear":
        return np.linspace(data.values[0], data.values[-1], clusters)
    if initialization == "density":
        return _by_density(data, clusters)
    generator = np.random.default_rng(seed)
    if initialization == "random":
        rows = generator.choice(len(data.values), clusters, replace=False, shuffle=False)
        return data.values[np.sort(rows)]
    return _by_squared_distance(data, generator.random(clusters))


def _by_density(data: SortedValues, clusters: int) -> Floats:
    """Centroids with the density of the cube root of a histogram, at its half-odd quantiles."""
    bins = min(2048, max(2 * clusters, len(data.values) // 64))
    edges = np.linspace(data.values[0], data.values[-1], bins + 1)
    counts = np.diff(data.values.searchsorted(edges[1:-1]), prepend=0, append=len(data.values))
    mass = np.concatenate([[0.0], np.cbrt(counts).cumsum()])
    return np.interp((np.arange(clusters) + 0.5) / clusters * mass[-1], mass, edges)


def _by_squared_distance(data: SortedValues, draws: Floats) -> Floats:
    """k-means++ with one uniform number in [0, 1) per centroid, in O(clusters² · log n).

    A cluster's values are an interval, so its squared distances add up by prefix sums, and the
    value that a draw falls on is found by bisection.
    """
    count = len(data.values)
    centroids = data.values[[int(draws[0] * count)]]
    for draw in draws[1:]:
        ends = interval_ends(data, centroids)
        errors = _interval_errors(data, ends[:-1], ends[1:], centroids).cumsum()
        target = draw * errors[-1]
        cell = min(int(errors.searchsorted(target, side="right")), len(centroids) - 1)
        target -= errors[cell - 1] if cell else 0.0
        row = _row_of_error(data, int(ends[cell]), int(ends[cell + 1]), centroids[cell], target)
        centroids = np.insert(centroids, centroids.searchsorted(data.values[row]), data.values[row])
    return centroids


def _row_of_error(data: SortedValues, low: int, high: int, centroid: float, target: float) -> int:
    """The row in [low, high) at which the squared distances summed from ``low`` exceed ``target``."""
    later = range(low + 1, high)
    return low + bisect_left(
        later, True, key=lambda end: bool(_interval_errors(data, low, end, centroid) > target)
    )


def interval_ends(data: SortedValues, centroids: Floats) -> NDArray[np.int64]:
    """``(k + 1,)``: the values in rows [ends[i], ends[i + 1]) are nearest to ``centroids[i]``."""
    inner = data.values.searchsorted(midpoints(centroids))
    return np.concatenate([[0], inner, [len(data.values)]])


def _interval_errors(data: SortedValues, low: Any, high: Any, centroid: Any) -> Floats:
    """Squared distances from ``centroid`` summed over rows [low, high); arguments broadcast."""
    sums, squares = data.sums[high] - data.sums[low], data.squares[high] - data.squares[low]
    return np.maximum(squares - 2 * centroid * sums + centroid**2 * (high - low), 0.0)


def midpoints(centroids: Floats) -> Floats:
    """Return the points between neighbouring centroids, where the values of one end."""
    return (centroids[1:] + centroids[:-1]) / 2


def sort(values: NDArray[Any]) -> NDArray[Any]:
    """Return all values ascending, in their own type; float16 as float32."""
    # subtle: NumPy 2.4 sorts float16 wrongly on some processors where many values are equal.
    return np.sort(values.astype(np.float32) if values.dtype == np.float16 else values, axis=None)


def sorted_values(ordered: NDArray[Any]) -> SortedValues:
    """Convert ascending values of any type to float64 less their mean."""
    values = ordered.astype(np.float64)
    offset = float(values.mean())
    values -= offset
    return SortedValues(values, offset)


def is_first(ordered: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether a row is the first of its value."""
    return np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]


def require_valid(values: NDArray[Any], clusters: int, initialization: str) -> None:
    """Raise ValueError for what k-means cannot work on."""
    if initialization not in INITIALIZATIONS:
        raise ValueError(f"initialization must be one of {INITIALIZATIONS}, got {initialization!r}.")
    if clusters < 1:
        raise ValueError(f"clusters must be at least 1, got {clusters}.")
    broken = values.size - np.count_nonzero(np.isfinite(values))
    if broken:
        raise ValueError(f"cannot cluster: {broken} of {values.size} values are NaN or infinite.")

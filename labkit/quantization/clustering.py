"""One-dimensional k-means in O(n log n): sort once, then every Lloyd step works on prefix sums.

On sorted values a cluster is an interval, its sum the difference of two prefix sums, and its ends
are found by bisection, so that a step costs O(clusters · log n) however many values there are.
Leaves out: what the clusters are used for (codebook), and more than one dimension.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["INITIALIZATIONS", "Clustering", "Initialization", "initial_centroids", "kmeans"]

Floats = NDArray[np.float64]
Initialization = Literal["linear", "kmeans++", "random", "density"]

INITIALIZATIONS: tuple[Initialization, ...] = ("linear", "kmeans++", "random", "density")


@dataclass(frozen=True)
class Clustering:
    """Centroids ``(k,)`` float64, ascending, each nearest to some value; what a value belongs to.

    ``indices`` has the shape of the values. ``squared_error`` is the sum of squared distances;
    ``iterations`` counts Lloyd steps, the last of which changed nothing if ``converged``.
    """

    centroids: Floats
    indices: NDArray[Any]
    squared_error: float
    iterations: int
    converged: bool


@dataclass(frozen=True)
class _SortedValues:
    """Ascending values less their mean (small sums lose the fewest digits), and prefix sums from 0."""

    values: Floats
    offset: float

    @cached_property
    def sums(self) -> Floats:
        """``(n + 1,)``: the sum of the first i values."""
        return np.append(0.0, self.values.cumsum())

    @cached_property
    def squares(self) -> Floats:
        """``(n + 1,)``: the sum of their squares; only k-means++ asks for it."""
        return np.append(0.0, (self.values**2).cumsum())


def kmeans(
    values: NDArray[Any],
    clusters: int,
    *,
    initialization: Initialization = "density",
    seed: int = 0,
    max_iterations: int = 1000,
) -> Clustering:
    """Lloyd's algorithm in one dimension, until no value changes its cluster.

    A cluster that loses all its values stays where it is and may win some later; those empty at the
    end are dropped, so there can be fewer than ``clusters``. Where there are no more distinct values
    than clusters, the centroids are these values and the error is 0. A value halfway between two
    centroids belongs to the upper one.

    Args:
        values: any shape, finite real numbers; may be empty.
        clusters: at least 1.
        initialization: see :func:`initial_centroids`.
        seed: of the initializations that draw.
        max_iterations: at least 0; at 0 the values are only assigned.

    Raises:
        ValueError: if a value is NaN or infinite or an argument is not as above.

    >>> result = kmeans(np.array([1.0, 1.2, 5.0, 5.4]), 2)
    >>> result.centroids, result.indices
    (array([1.1, 5.2]), array([0, 0, 1, 1], dtype=uint8))
    """
    _require_valid(values, clusters, initialization)
    if max_iterations < 0:
        raise ValueError(f"max_iterations must be at least 0, got {max_iterations}.")
    ordered = np.sort(values, axis=None).astype(np.float64)
    distinct = _few_distinct(ordered, clusters)
    if distinct is not None:
        return _clustering(values, distinct, iterations=0, converged=True)
    data = _SortedValues(ordered - ordered.mean(), float(ordered.mean()))
    start = _initial_centroids(data, clusters, initialization, seed)
    centroids, iterations, converged = _lloyd(data, start, max_iterations)
    return _clustering(values, centroids + data.offset, iterations, converged)


def initial_centroids(
    values: NDArray[Any], clusters: int, initialization: Initialization, *, seed: int = 0
) -> Floats:
    """Where k-means starts: ``(clusters,)`` float64, ascending.

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
    _require_valid(values, clusters, initialization)
    if not values.size or (initialization == "random" and clusters > values.size):
        raise ValueError(f"cannot start {clusters} clusters ({initialization}) from {values.size} values.")
    ordered = np.sort(values, axis=None).astype(np.float64)
    data = _SortedValues(ordered - ordered.mean(), float(ordered.mean()))
    return _initial_centroids(data, clusters, initialization, seed) + data.offset


def _initial_centroids(
    data: _SortedValues, clusters: int, initialization: Initialization, seed: int
) -> Floats:
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


def _by_density(data: _SortedValues, clusters: int) -> Floats:
    """Centroids with the density of the cube root of a histogram, at its half-odd quantiles."""
    bins = min(2048, max(2 * clusters, len(data.values) // 64))
    edges = np.linspace(data.values[0], data.values[-1], bins + 1)
    counts = np.diff(data.values.searchsorted(edges[1:-1]), prepend=0, append=len(data.values))
    mass = np.concatenate([[0.0], np.cbrt(counts).cumsum()])
    return np.interp((np.arange(clusters) + 0.5) / clusters * mass[-1], mass, edges)


def _by_squared_distance(data: _SortedValues, draws: Floats) -> Floats:
    """k-means++ with one uniform number in [0, 1) a centroid, in O(clusters² · log n).

    A cluster's values are an interval, so its squared distances add up by prefix sums, and the
    value that a draw falls on is found by bisection.
    """
    count = len(data.values)
    centroids = data.values[[int(draws[0] * count)]]
    for draw in draws[1:]:
        ends = _interval_ends(data, centroids)
        errors = _interval_errors(data, ends[:-1], ends[1:], centroids).cumsum()
        target = draw * errors[-1]
        cell = min(int(errors.searchsorted(target, side="right")), len(centroids) - 1)
        target -= errors[cell - 1] if cell else 0.0
        row = _row_of_error(data, int(ends[cell]), int(ends[cell + 1]), centroids[cell], target)
        centroids = np.insert(centroids, centroids.searchsorted(data.values[row]), data.values[row])
    return centroids


def _row_of_error(data: _SortedValues, low: int, high: int, centroid: float, target: float) -> int:
    """The row in [low, high) at which the squared distances summed from ``low`` exceed ``target``."""
    later = range(low + 1, high)
    return low + bisect_left(
        later, True, key=lambda end: bool(_interval_errors(data, low, end, centroid) > target)
    )


def _lloyd(data: _SortedValues, centroids: Floats, max_iterations: int) -> tuple[Floats, int, bool]:
    """Move each centroid to its values' mean until no interval changes; how often, and if it ended."""
    ends = _interval_ends(data, centroids)
    for iteration in range(1, max_iterations + 1):
        counts = np.diff(ends)
        sums = np.diff(data.sums[ends])
        centroids = np.where(counts > 0, sums / np.maximum(counts, 1), centroids)
        previous, ends = ends, _interval_ends(data, centroids)
        if np.array_equal(previous, ends):
            return centroids, iteration, True
    return centroids, max_iterations, False


def _interval_ends(data: _SortedValues, centroids: Floats) -> NDArray[np.int64]:
    """``(k + 1,)``: the values in rows [ends[i], ends[i + 1]) are nearest to ``centroids[i]``."""
    inner = data.values.searchsorted(_midpoints(centroids))
    return np.concatenate([[0], inner, [len(data.values)]])


def _interval_errors(data: _SortedValues, low: Any, high: Any, centroid: Any) -> Floats:
    """Squared distances from ``centroid`` summed over rows [low, high); arguments broadcast."""
    sums, squares = data.sums[high] - data.sums[low], data.squares[high] - data.squares[low]
    return np.maximum(squares - 2 * centroid * sums + centroid**2 * (high - low), 0.0)


def _clustering(values: NDArray[Any], centroids: Floats, iterations: int, converged: bool) -> Clustering:
    """Assign each value to its nearest centroid, drop centroids without any, and measure the error."""
    indices = _nearest(values, centroids)
    used = np.bincount(indices.ravel(), minlength=len(centroids)) > 0
    if not used.all():
        centroids = centroids[used]
        indices = _nearest(values, centroids)
    distances = values.ravel() - centroids[indices.ravel()]
    return Clustering(centroids, indices, float(distances @ distances), iterations, converged)


def _nearest(values: NDArray[Any], centroids: Floats) -> NDArray[Any]:
    """Index of the nearest of ascending ``centroids``, in the smallest unsigned integer type."""
    midpoints = _midpoints(centroids)
    dtype = np.min_scalar_type(len(midpoints))
    if len(midpoints) > 128:
        return midpoints.searchsorted(values, side="right").astype(dtype)
    indices = np.zeros(values.shape, dtype)
    for midpoint in midpoints:  # one vector instruction a step beats a bisection for each value
        indices += values >= midpoint
    return indices


def _midpoints(centroids: Floats) -> Floats:
    """Where one centroid's values end and the next one's begin."""
    return (centroids[1:] + centroids[:-1]) / 2


def _few_distinct(ordered: Floats, clusters: int) -> Floats | None:
    """The distinct values, if there are no more than clusters."""
    first = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
    return ordered[first] if np.count_nonzero(first) <= clusters else None


def _require_valid(values: NDArray[Any], clusters: int, initialization: str) -> None:
    """Raise ValueError for what k-means cannot work on."""
    if initialization not in INITIALIZATIONS:
        raise ValueError(f"initialization must be one of {INITIALIZATIONS}, got {initialization!r}.")
    if clusters < 1:
        raise ValueError(f"clusters must be at least 1, got {clusters}.")
    broken = values.size - np.count_nonzero(np.isfinite(values))
    if broken:
        raise ValueError(f"cannot cluster: {broken} of {values.size} values are NaN or infinite.")

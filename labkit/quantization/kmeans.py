"""One-dimensional k-means in O(n log n): sort once, then every Lloyd step works on prefix sums.

On sorted values a cluster is an interval, its sum the difference of two prefix sums, and its ends
are found by bisection, so a step costs O(clusters · log n) however many values there are.
Leaves out: initializations (:mod:`labkit.quantization.kmeans_init`), and the use of clusters as shared
weights (:mod:`labkit.quantization.weight_sharing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labkit.quantization.kmeans_init import (
    INITIALIZATIONS,
    Initialization,
    SortedValues,
    initial_centroids,
    interval_ends,
    is_first,
    midpoints,
    require_valid,
    sort,
    sorted_values,
    start_of_sorted,
)

__all__ = ["INITIALIZATIONS", "Clustering", "Initialization", "initial_centroids", "kmeans"]

Floats = NDArray[np.float64]

_BLOCK = 1 << 15  # values that stay in the processor's cache while each threshold passes over them


@dataclass(frozen=True)
class Clustering:
    """Centroids ``(k,)`` float64, ascending, each nearest to some value, and the cluster of each value.

    ``indices`` has the shape of the values. ``squared_error`` is the sum of squared distances;
    ``iterations`` counts Lloyd steps, the last of which changed nothing if ``converged``.
    """

    centroids: Floats
    indices: NDArray[Any]
    squared_error: float
    iterations: int
    converged: bool


def kmeans(
    values: NDArray[Any],
    clusters: int,
    *,
    initialization: Initialization = "density",
    seed: int = 0,
    max_iterations: int = 1000,
) -> Clustering:
    """Run Lloyd's algorithm in one dimension until no value changes its cluster.

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
    require_valid(values, clusters, initialization)
    if max_iterations < 0:
        raise ValueError(f"max_iterations must be at least 0, got {max_iterations}.")
    ordered = sort(values)
    first = is_first(ordered)
    if np.count_nonzero(first) <= clusters:
        return _clustering(values, ordered, ordered[first].astype(np.float64), 0, True)
    data = sorted_values(ordered)
    start = start_of_sorted(data, clusters, initialization, seed)
    centroids, iterations, converged = _lloyd(data, start, max_iterations)
    return _clustering(values, ordered, centroids + data.offset, iterations, converged)


def _lloyd(data: SortedValues, centroids: Floats, max_iterations: int) -> tuple[Floats, int, bool]:
    """Move each centroid to its values' mean until no interval changes; how often, and if it ended."""
    # subtle: a slow start takes a thousand steps of microseconds each, so no call here is wasted.
    centroids = centroids.copy()
    ends = interval_ends(data, centroids)
    for iteration in range(1, max_iterations + 1):
        counts, sums = ends[1:] - ends[:-1], data.sums.take(ends)
        np.divide(sums[1:] - sums[:-1], counts, out=centroids, where=counts > 0)
        inner = data.values.searchsorted(midpoints(centroids))
        if (inner == ends[1:-1]).all():
            return centroids, iteration, True
        ends[1:-1] = inner
    return centroids, max_iterations, False


def _clustering(
    values: NDArray[Any], ordered: NDArray[Any], centroids: Floats, iterations: int, converged: bool
) -> Clustering:
    """Assign each value to its nearest centroid, drop centroids without any, and measure the error."""
    counts = _counts(ordered, centroids)
    if not counts.all():
        centroids = centroids[counts > 0]
        counts = _counts(ordered, centroids)
    distances = ordered - np.repeat(centroids, counts)  # sorted, a cluster is a run
    indices = _nearest(values, centroids)
    return Clustering(centroids, indices, float(distances @ distances), iterations, converged)


def _counts(ordered: NDArray[Any], centroids: Floats) -> NDArray[np.int64]:
    """How many values are nearest to each centroid."""
    inner = ordered.searchsorted(_thresholds(centroids, ordered.dtype))
    return np.diff(inner, prepend=0, append=len(ordered))[: len(centroids)]


def _nearest(values: NDArray[Any], centroids: Floats) -> NDArray[Any]:
    """Index of the nearest of ascending ``centroids``, in the smallest unsigned integer type."""
    thresholds = _thresholds(centroids, values.dtype)
    dtype = np.min_scalar_type(len(thresholds))
    if len(thresholds) > 128:
        return thresholds.searchsorted(values, side="right").astype(dtype)
    flat, indices = values.ravel(), np.zeros(values.size, dtype)
    for row in range(0, len(flat), _BLOCK):
        block, counted = flat[row : row + _BLOCK], indices[row : row + _BLOCK]
        for threshold in thresholds:  # one vector instruction per threshold beats one bisection per value
            counted += block >= threshold
    return indices.reshape(values.shape)


def _thresholds(centroids: Floats, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The least number of the values' own floating-point type that is not below each midpoint.

    A value reaches one if and only if it reaches the other, and is not widened to compare.
    """
    exact = midpoints(centroids)
    if dtype.kind != "f":
        return exact
    near = exact.astype(dtype)
    return np.where(near < exact, np.nextafter(near, dtype.type(np.inf)), near)

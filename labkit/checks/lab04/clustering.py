"""Visible checks 04.1 to 04.4: k-means in one dimension, its initialization, and codebooks.

The oracles are distances and histograms in plain Python; for random initialization, shares over many
seeds are compared with the exact probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from labkit.checks.expect import Case, Expect

__all__ = ["density_centroids", "initial_centroids", "lloyd_step", "share"]

Answer = Callable[..., Any]

NEAREST = "each value belongs to its nearest centroid; each centroid moves to the mean of its values"
TIE = "a value halfway between two centroids belongs to the upper one"
EMPTY = "a centroid that no value belongs to stays where it is"
ZERO = "index 0 is for weights that are exactly 0, and for no others, however small"
MASS = "a bin's mass is count ** power; centroid i lies where (i + ½) / k of all mass is to its left"
UNTOUCHED = "leave the arguments as they are and return something new"


def lloyd_step(expect: Expect, answer: Answer) -> None:
    """04.1: compare one Lloyd step with a search over all distances."""
    for values, centroids, why in (
        ([1.0, 2.0, 4.0, 9.0], [1.0, 8.0], NEAREST),
        ([5.0, -3.0, 0.5, 2.0, -7.0, 2.5, 2.5, 2.5], [-5.0, 0.0, 3.0], NEAREST),
        ([0.0, 1.0, 2.0, 3.0], [0.0, 2.0], TIE),
        ([1.0, 1.25, 8.0], [1.0, 4.0, 8.0], EMPTY),
        ([1.0, 2.0], [0.0, 1.5, 7.0, 9.0], EMPTY),
        ([3.0, 3.0, 3.0], [3.0], "equal values: the mean is that value"),
        ([2.0, 6.0, 7.0], [-1.0], "one centroid takes all values"),
        ([], [1.0, 2.0], "without values nothing moves"),
    ):
        case = expect.given(f"values = {values}, centroids = {centroids}")
        array, start = np.array(values), np.array(centroids)
        got = case.call(answer, array, start, hint=NEAREST)
        case.close(got, _lloyd(values, centroids), hint=why)
        unchanged = array.tolist() == values and start.tolist() == centroids
        case.true(unchanged, expected="both arrays unchanged", got=start, hint=UNTOUCHED)


def initial_centroids(expect: Expect, answer: Answer) -> None:
    """04.2: linear is compared exactly, the two random ones by what they may return and how often."""

    def start(values: Sequence[float], clusters: int, kind: str, seed: int = 0, why: str = "") -> Any:
        case = expect.given(f"values = {_brief(values)}, clusters = {clusters}, kind = {kind!r}")
        array, hint = np.array(values), why or "return a (clusters,) array, ascending"
        got = case.call(answer, array, clusters, kind, np.random.default_rng(seed), hint=hint)
        unchanged = array.tolist() == list(values)
        if seed == 0:
            case.true(unchanged, expected="values unchanged", got=array, hint=UNTOUCHED)
        return got

    for values, clusters, expected in (
        ([4.0, -2.0, 0.0, 1.0], 4, [-2, 0, 2, 4]),
        ([0.0, 0.0, 0.0, 10.0], 3, [0, 5, 10]),
        ([1.5, 1.5], 2, [1.5, 1.5]),
    ):
        why = "linear: even steps from the smallest to the largest value, both included"
        expect.given(f"{values}, linear").close(
            start(values, clusters, "linear", why=why), expected, hint=why
        )
    few = [0.0] * 60 + [1.0, 1.5, -40.0]
    why = "random: draw without replacement, each value at most once, and sort"
    expect.given("as many clusters as values").equal(start(few, 63, "random"), sorted(few), hint=why)
    drawn = [list(start(list(range(10)), 3, "random", seed)) for seed in range(400)]
    _drawn(expect, drawn, list(range(10)), why)
    _shares(expect.given("values 0 to 9, 3 clusters, random"), drawn, {0.0: 0.3, 4.0: 0.3, 9.0: 0.3}, why)
    why = "kmeans++: draw by squared distance to the nearest centroid so far: 0 for a centroid itself"
    for seed in range(5):
        got = start(few, 4, "kmeans++", seed, why)
        expect.given("60 zeros, 1, 1.5, −40; 4 clusters, kmeans++").equal(got, [-40, 0, 1, 1.5], hint=why)
    drawn = [list(start([0.0, 1.0, 10.0], 2, "kmeans++", seed)) for seed in range(600)]
    _drawn(expect, drawn, [0.0, 1.0, 10.0], why)
    shares = {0.0: 0.5216, 1.0: 0.4858, 10.0: 0.9926}
    _shares(expect.given("values 0, 1, 10; 2 clusters, kmeans++"), drawn, shares, why)
    for kind in ("random", "kmeans++"):
        first, again = (start(list(range(10)), 3, kind, seed=7) for _ in range(2))
        why = "draw from the generator that is passed, and only from it: equal seeds give equal centroids"
        expect.given(f"values 0 to 9, 3 clusters, {kind}, the same seed again").equal(
            again, first, hint=why
        )
    why = "if every value is a centroid already, all distances are 0: draw any, and do not divide by 0"
    expect.given("4 equal values, kmeans++").equal(
        start([0.5] * 4, 3, "kmeans++", why=why), [0.5] * 3, hint=why
    )


def share(expect: Expect, answer: Answer) -> None:
    """04.3: compare the indices with a search; zeros have an index of their own."""
    many = np.arange(300) / 4 + 1
    for weight, centroids, why in (
        ([0.9, -2.0, 0.0, 2.2], [-2.0, 1.0, 2.0], ZERO),
        ([[0.001, 0.0], [-0.001, 5.0]], [-1.0, 1.0], ZERO),
        ([0.0, 0.5, -0.0, 4.6], [0.0, 4.0, 5.0], ZERO),
        ([1.0, 3.0, 2.0], [1.0, 3.0], TIE),
        ([[[-1.0]], [[4.0]]], [2.0], "one centroid: every weight but the zeros gets index 1"),
        ([0.0, 0.0], [1.0], "an all-zero weight has only index 0"),
        ([], [1.0, 2.0], "an empty weight has no indices"),
        (many, many, "index 256 and above must fit the integer type"),
    ):
        array, entries = np.array(weight), np.array(centroids)
        case = expect.given(f"weight = {_brief(weight)}, centroids = {_brief(centroids)}")
        got = case.call(answer, array, entries, hint="return codebook, indices")
        pair = isinstance(got, tuple) and len(got) == 2
        case.true(pair, expected="(codebook, indices)", got=got, hint="return two arrays")
        expect.given(f"the codebook of {case}").close(
            got[0], [0, *centroids], hint="first 0, then the centroids"
        )
        expected = np.array([_index(value, centroids) for value in array.ravel()], int).reshape(array.shape)
        integral = np.asarray(got[1]).dtype.kind in "iu"
        case.true(integral, expected="integers", got=got[1], hint="an index is an integer")
        expect.given(f"the indices of {case}").equal(got[1], expected, hint=why)
        unchanged = array.tolist() == np.array(weight).tolist()
        case.true(unchanged, expected="weight unchanged", got=array, hint=UNTOUCHED)


def density_centroids(expect: Expect, answer: Answer) -> None:
    """04.4: compare with a walk through the bins one by one."""
    skewed = [0.0, *[0.5] * 27, *[3.5] * 8, 8.0]
    for values, clusters, bins, power, why in (
        ([0.0, *[1.0] * 8], 3, 2, 1 / 3, MASS),
        ([4.0, *[1.0] * 7, 0.0], 3, 2, 1.0, MASS),
        ([0.0, 0.1, 0.3, 4.0], 3, 4, 1 / 3, MASS),
        (skewed, 5, 8, 1 / 3, MASS),
        (skewed, 5, 8, 0.5, MASS),
        (skewed, 5, 8, 1.0, MASS),
        ([-1.0, *[-0.9] * 64, 0.3, 1.0], 7, 2, 1 / 3, MASS),
        ([2.0, 5.0, 3.0, 2.5], 1, 1, 1.0, "one bin and one centroid: the middle of the range"),
        ([2.5, 2.5, 2.5], 3, 10, 1 / 3, "equal values: every centroid lies on them"),
        ([-0.5], 2, 4, 1.0, "equal values: every centroid lies on them"),
    ):
        case = expect.given(
            f"values = {_brief(values)}, clusters = {clusters}, bins = {bins}, power = {power:.3g}"
        )
        array = np.array(values)
        got = case.call(answer, array, clusters, bins, power, hint=MASS)
        case.close(got, _density(values, clusters, bins, power), hint=why)
        case.true(array.tolist() == values, expected="values unchanged", got=array, hint=UNTOUCHED)


def _index(value: float, centroids: Any) -> int:
    """Return the index of a weight: 0 for zero, else 1 + the last of the nearest centroids."""
    return (
        0 if value == 0 else 1 + min(range(len(centroids)), key=lambda i: (abs(value - centroids[i]), -i))
    )


def _lloyd(values: Sequence[float], centroids: Sequence[float]) -> list[float]:
    """Return the mean of the values nearest to each centroid."""
    members: list[list[float]] = [[] for _ in centroids]
    for value in values:
        members[min(range(len(centroids)), key=lambda i: (abs(value - centroids[i]), -i))].append(value)
    return [
        sum(group) / len(group) if group else old for group, old in zip(members, centroids, strict=True)
    ]


def _density(values: Sequence[float], clusters: int, bins: int, power: float) -> list[float]:
    """Walk through the bins until each centroid's share of the mass is reached."""
    low, width = min(values), (max(values) - min(values)) / bins
    if width == 0:
        return [low] * clusters
    places = [min(int((value - low) / width), bins - 1) for value in values]
    masses = [float(places.count(place)) ** power for place in range(bins)]
    result = []
    for centroid in range(clusters):
        left, place = (centroid + 0.5) / clusters * sum(masses), 0
        while left > masses[place]:
            left, place = left - masses[place], place + 1
        result.append(low + width * (place + left / masses[place]))
    return result


def _drawn(expect: Expect, drawn: list[list[float]], values: list[float], hint: str) -> None:
    """Check that every start consists of distinct values, ascending, and that starts differ."""
    case = expect.given(f"values = {values}, {len(drawn)} seeds")
    right = all(row == sorted(set(row) & set(values)) for row in drawn)
    case.true(right, expected="some of the values, ascending", got=drawn[0], hint=hint)
    varied = len({tuple(row) for row in drawn}) > 1
    case.true(varied, expected="different draws", got=drawn[0], hint="use the generator that is passed")


def _shares(case: Case, drawn: list[list[float]], shares: Mapping[float, float], hint: str) -> None:
    """Check how often a value is a centroid, with a margin of at least four standard errors."""
    for value, expected_share in shares.items():
        got = sum(value in row for row in drawn) / len(drawn)
        expected = f"{value:g} among the centroids for about {100 * expected_share:.0f} % of the seeds"
        near = abs(got - expected_share) < (0.09 if expected_share < 0.9 else 0.02)
        case.true(near, expected=expected, got=f"{100 * got:.0f} %", hint=hint)


def _brief(values: Any) -> str:
    """Format values for a message, cut after eight entries."""
    array = np.asarray(values)
    return (
        f"[{', '.join(f'{v:g}' for v in array.ravel()[:8])}, … {array.size} in all]"
        if array.size > 8
        else f"{array.tolist()}"
    )

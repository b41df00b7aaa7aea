"""Visible checks of lab 01: descent, projection and thresholding for sparse linear models.

The oracles are finite differences for the gradient, exhaustive search for the projection, and the
definition of a proximal operator (no nearby point has a lower objective) for the thresholds.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from labkit.checks.expect import Expect

__all__ = ["CASES", "HINTS"]

Answer = Callable[..., Any]
X = np.array([[-2.0, 2, 1, -1, -1], [-2, 1, -2, 0, 1], [1, 0, -2, 2, -1]])
Y, OTHER_Y = np.array([5.0, 1, 1]), np.array([2.0, 0, -3])
STATEMENTS = (
    "least_norm",
    "subgradient_exact_zeros",
    "proximal_more_stable",
    "lasso_gradient_vanishes",
    "projection_locks_support",
    "trimmed_depends_on_strength",
)


def _differences(w: np.ndarray, features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the gradient of the sum of squares by central differences (exact for a quadratic)."""

    def loss(point: np.ndarray) -> float:
        return float(np.sum((features @ point - targets) ** 2))

    unit = np.eye(w.size)
    return np.array([(loss(w + axis) - loss(w - axis)) / 2 for axis in unit])


def gradient_and_step(expect: Expect, loss_gradient: Answer, gradient_step: Answer) -> None:
    """01.1: compare the gradient with finite differences and the step with its definition."""
    factor = "L is a sum of squares, with no ½ and no mean, and its gradient points to where L grows: "
    factor += "compare with (L(w+h) − L(w−h)) / 2h."
    tall, mirrored = np.array([[1.0, 2], [0, -1], [3, 1], [2, 2]]), X[:, ::-1]
    for name, w, features, targets in (
        ("w = 0, the lab's X and y", np.zeros(5), X, Y),
        ("w = (1, −2, 0, 0.5, 3), the lab's X and y", np.array([1, -2, 0, 0.5, 3]), X, Y),
        ("four samples and two features", np.array([1.0, -1]), tall, np.array([1.0, 0, 2, -1])),
        (
            "w = (0, 1, 0, 2, −1), X mirrored, y = (2, 0, −3)",
            np.array([0.0, 1, 0, 2, -1]),
            mirrored,
            OTHER_Y,
        ),
        ("w = (0, 2, 0, 0, −1), where Xw = y", np.array([0.0, 2, 0, 0, -1]), X, Y),
    ):
        got = expect.given(name).call(loss_gradient, w, features, targets, hint=factor)
        expect.given(f"the gradient at {name}").close(got, _differences(w, features, targets), hint=factor)
    downhill = "The step goes against the gradient, and its length is the argument step times the gradient."
    untouched = "The run keeps every w it visits: return a new array instead of changing the argument."
    for name, start, features, targets, step in (
        ("w = (1, −2, 0, 0.5, 3), the lab's X and y", [1, -2, 0, 0.5, 3], X, Y, 0.02),
        ("w = (0, 1, 0, 2, −1), X mirrored, y = (2, 0, −3)", [0, 1, 0, 2, -1], mirrored, OTHER_Y, 0.5),
        ("w = (1, −1), four samples and two features", [1, -1], tall, np.array([1.0, 0, 2, -1]), 0.1),
    ):
        w = np.array(start, float)
        case = expect.given(f"a step of {step} from {name}")
        got = case.call(gradient_step, w, features, targets, step, hint=downhill)
        expected = np.array(start) - step * _differences(np.array(start, float), features, targets)
        case.close(got, expected, hint=downhill)
        expect.given(f"w itself after {case}").equal(w, start, hint=untouched)


def _nearest_sparse(w: np.ndarray, k: int) -> np.ndarray:
    """Find the nearest vector among all supports of size k; ties go to the lowest indices."""
    candidates = []
    for support in combinations(range(w.size), k):
        candidate = np.zeros_like(w)
        candidate[list(support)] = w[list(support)]
        candidates.append(candidate)
    return min(candidates, key=lambda candidate: round(float(np.sum((candidate - w) ** 2)), 12))


def projection(expect: Expect, project: Answer) -> None:
    """01.2: compare with a search over all supports; ties, k = 0, k = d; the input stays unchanged."""
    size = "Keep the k entries of largest magnitude as they are; a large negative weight is large."
    ties = "Exactly k entries stay: of equal magnitudes the one with the lowest index."
    for w, k, hint in (
        ([0.3, -2.0, 1.5, 0.1, -0.7], 2, size),
        ([-0.2, -5.0, 1.0, 4.0, 0.6], 3, size),
        ([1.0, -1.0, 1.0, 1.0], 2, ties),
        ([2.0, 0.5, -0.5, 0.5, -2.0], 3, ties),
        ([-11.0, 11.0, 1.0, -3.0, -5.0], 1, ties),
        ([0.3, -2.0, 1.5], 0, "k = 0 keeps nothing: the answer is a vector of zeros."),
        ([0.3, -2.0, 1.5], 3, "k = d keeps everything: the answer equals w."),
        ([0.0, 0.0, 0.0], 1, "Of three zeros any one may stay; the answer is zero."),
    ):
        array, case = np.array(w), expect.given(f"w = {w}, k = {k}")
        got = case.call(project, array, k, hint=hint)
        case.close(got, _nearest_sparse(np.array(w), k), hint=hint)
        expect.given(f"w itself after the call with k = {k}").equal(
            array, w, hint="Do not change the input."
        )


def _moved(w: np.ndarray, features: np.ndarray, targets: np.ndarray, step: float) -> np.ndarray:
    """Return the weights after a gradient step, with the gradient by central differences."""
    return w - step * _differences(w, features, targets)


def _smallest_pull(w: np.ndarray, moved: np.ndarray) -> float:
    """Return the smallest pull towards zero at which some nonzero w ends at zero or past it, by bisection."""

    def crosses(pull: float) -> bool:
        ends = np.where(w > 0, moved - pull, moved + pull)
        return bool(np.any((w > 0) & (ends <= 0) | (w < 0) & (ends >= 0)))

    low, high = 0.0, 1e6
    if crosses(low) or not crosses(high):
        return low if crosses(low) else np.inf
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if crosses(middle) else (middle, high)
    return high


def subgradient(expect: Expect, subgradient_step: Answer, smallest_crossing: Answer) -> None:
    """01.3: compare the step with its definition, entry by entry, and the crossing with a bisection."""
    downhill = "Subtract step·∇L(w), and step·lam times the subgradient: the penalty pulls towards zero."
    slope = "Away from 0 the slope of |w| is −1 or +1, however large or small w is."
    zero = "At 0 the subgradient of this lab is 0 (and 0 / 0 is not a number)."
    sign = {True: 1.0, False: -1.0}
    lab, mirrored = ("the lab's X and y", X, Y), ("X mirrored, y = (2, 0, −3)", X[:, ::-1], OTHER_Y)
    flat = "X = 0, y = 0", np.zeros((1, 3)), np.zeros(1)
    two = "two samples", np.array([[1.0, 2, 0], [0, -1, 1]]), np.array([3.0, 1.0])
    for (data, features, targets), w, step, lam, hint in (
        (lab, [1.0, -2, 0, 0.5, 3], 0.02, 2.0, downhill),
        (mirrored, [0.0, 1, 0, 2, -1], 0.1, 0.5, downhill),
        (flat, [3.0, -0.5, 2.0], 0.5, 0.2, downhill),
        (flat, [1e-12, -1e-12, 1e6], 0.1, 0.5, slope),
        (flat, [0.0, 1.0, -0.0], 0.1, 2.0, zero),
        (lab, [0.0] * 5, 0.02, 1.0, zero),
        (two, [0.01, 1.0, -1.0], 0.1, 3.0, "Take the subgradient at w, not after the gradient step."),
        (two, [0.5, 1.0, -1.0], 0.1, 0.0, "Without a penalty it is a gradient step."),
    ):
        array, case = np.array(w), expect.given(f"w = {w}, {data}, step = {step}, lam = {lam}")
        got = case.call(subgradient_step, array, features, targets, step, lam, hint=hint)
        pulls = [step * lam * sign[value > 0] if value != 0 else 0.0 for value in w]
        case.close(got, _moved(np.array(w), features, targets, step) - pulls, hint=hint, atol=1e-14)
        expect.given(f"w itself after {case}").equal(array, w, hint="Do not change the input.")
    first = "It is the weight that comes closest to zero in the gradient step, seen from where it was."
    for (data, features, targets), w, step, hint in (
        (lab, [1.0, -2, 0, 0.5, 3], 0.001, first),
        (mirrored, [0.0, 1, 0, 2, -1], 0.01, first),
        (flat, [3.0, -0.5, 2.0], 0.5, first),
        (flat, [0.0, -2.0, 0.75], 0.5, "A weight that is 0 is not pulled, so it does not count."),
        (flat, [0.0, 0.0, 0.0], 0.5, "No weight can cross: the answer is np.inf."),
        (two, [0.9, -2.0, 1.0], 0.01, "The gradient step moves the weights before the penalty does."),
        (two, [-0.01, 1.0, 0.0], 0.1, "Here the gradient step alone crosses, so the answer is 0."),
    ):
        array, case = np.array(w), expect.given(f"w = {w}, {data}, step = {step}")
        got = case.call(smallest_crossing, array, features, targets, step, hint=hint)
        crossing = expect.given(f"smallest_crossing at {case}")
        expected = _smallest_pull(np.array(w), _moved(np.array(w), features, targets, step))
        crossing.close(got, expected, hint=hint)
        expect.given(f"w itself after {case}").equal(array, w, hint="Do not change the input.")


def _proximal_point(value: float, threshold: float) -> float:
    """Return the minimizer of ½(v − value)² + threshold·|v|: the best of three stationary points."""
    points = [0.0, value - threshold, value + threshold]
    return min(points, key=lambda v: 0.5 * (v - value) ** 2 + threshold * abs(v))


def soft_thresholding(expect: Expect, soft_threshold: Answer) -> None:
    """01.4: compare with the definition of the proximal operator, entry by entry."""
    shrink = "The minimizer of ½(v − w)² + t|v|: every entry moves towards 0 by t, and stops at 0."
    stop = "An entry with |w| ≤ t becomes exactly 0: it must not pass through to the other sign."
    for w, t, hint in (
        ([3.0, 1.5, 0.75], 0.5, shrink),
        ([-3.0, -1.5, 2.0], 0.5, "Negative entries move towards 0 too, so upwards."),
        ([0.3, -0.2, 0.01], 0.5, stop),
        ([0.5, -0.5, 2.0], 0.5, stop),
        ([1.0, -2.0, 0.0], 0.0, "A threshold of 0 changes nothing."),
        ([0.0, 0.0], 1.0, stop),
    ):
        array, case = np.array(w), expect.given(f"w = {w}, threshold = {t}")
        got = case.call(soft_threshold, array, t, hint=hint)
        expected = np.array([_proximal_point(value, t) for value in w])
        case.close(got, expected, hint=hint)
        exact = bool(np.all(np.asarray(got)[expected == 0] == 0))
        case.true(exact, expected="zeros that are exactly 0", got=got, hint=stop)
        expect.given("w itself after the call").equal(array, w, hint="Do not change the input.")


def trimmed_thresholding(expect: Expect, trimmed: Answer) -> None:
    """01.5: compare with the best choice of entries to spare, found by trying all."""
    which = (
        "Only the smallest magnitudes shrink, by the threshold and not past 0; the others are unchanged."
    )
    ties = "Exactly `smallest` entries shrink; of equal magnitudes the lowest index is spared, as in 01.2."
    for w, t, smallest, hint in (
        ([0.3, -2.0, 1.5, 0.1, -0.7], 0.2, 3, which),
        ([-4.0, 3.0, -1.0, 2.0, 0.05], 0.5, 3, which),
        ([1.0, -1.0, 1.0, 1.0], 0.25, 2, ties),
        ([0.5, 2.0, -0.5, 0.5], 0.25, 2, ties),
        ([3.0, -1.0, 0.4], 0.5, 0, "smallest = 0: nothing shrinks."),
        ([3.0, -1.0, 0.4], 0.5, 3, "smallest = d: this is plain soft-thresholding."),
    ):
        array, case = np.array(w), expect.given(f"w = {w}, threshold = {t}, smallest = {smallest}")
        got = case.call(trimmed, array, t, smallest, hint=hint)
        spared = _nearest_sparse(np.array(w), len(w) - smallest) != 0
        expected = [
            value if keep else _proximal_point(value, t) for value, keep in zip(w, spared, strict=True)
        ]
        case.close(got, expected, hint=hint)
        expect.given("w itself after the call").equal(array, w, hint="Do not change the input.")


def concept_answers(expect: Expect, answer: Answer) -> None:
    """01.6: each statement has the answer True or False; grading tells whether it is right."""
    expect.verdicts(answer, STATEMENTS)


CASES: dict[str, Callable[..., None]] = {
    "01.1": gradient_and_step,
    "01.2": projection,
    "01.3": subgradient,
    "01.4": soft_thresholding,
    "01.5": trimmed_thresholding,
    "01.6": concept_answers,
}

HINTS = {
    "01.2": "Sort the indices by −|w| with a stable sort, and copy the first k entries into a vector of zeros.",
    "01.3": "For the crossing, take the weights after the gradient step, times the sign of w: the way that is "
    "left to zero, negative if the step went past it. The answer is the smallest of them over the nonzero "
    "weights, but not below 0.",
    "01.5": "Find which entries are free as in 01.2, with k = d − smallest, and soft-threshold the others.",
}

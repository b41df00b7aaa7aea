"""Sparse least squares: gradient, subgradient, projected and proximal descent, in float64 NumPy.

The loss is a sum of squares, ``L(w) = ‖Xw − y‖²``, without ½ and without a mean, so the gradient is
``2Xᵀ(Xw − y)`` and scikit-learn's Lasso (which halves and averages) needs ``alpha = λ / (2n)``.
There is no intercept, no mini-batch and no stopping rule: a run takes a fixed number of steps from zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Trajectory",
    "descend",
    "fista",
    "gradient_descent",
    "iterative_pruning",
    "l1_subgradient",
    "normalized_step",
    "project_sparse",
    "projected_descent",
    "proximal_descent",
    "soft_threshold",
    "squared_loss",
    "squared_loss_gradient",
    "step_limit",
    "subgradient_descent",
    "trimmed_descent",
    "trimmed_soft_threshold",
]

Array = NDArray[np.float64]

SAFETY = 0.01  # c in Blumensath and Davies: how far a step stays below the one that could raise the loss


@dataclass(frozen=True)
class Trajectory:
    """The path of one run: weights ``(steps + 1, d)`` and losses ``(steps + 1,)``, including the start.

    Losses do not contain the penalty.
    """

    weights: Array
    losses: Array

    @property
    def final(self) -> Array:
        """The last weights ``(d,)``."""
        return self.weights[-1]


def squared_loss(weights: ArrayLike, X: ArrayLike, y: ArrayLike) -> float:
    """Return ``‖Xw − y‖²``, a sum over the n samples.

    >>> squared_loss([1.0, 1.0], [[1.0, 2.0]], [5.0])
    4.0
    """
    _, residual = _residual(weights, X, y)
    return float(residual @ residual)


def squared_loss_gradient(weights: ArrayLike, X: ArrayLike, y: ArrayLike) -> Array:
    """Return ``2Xᵀ(Xw − y)``, shape ``(d,)``.

    >>> squared_loss_gradient([1.0, 1.0], [[1.0, 2.0]], [5.0]).tolist()
    [-4.0, -8.0]
    """
    features, residual = _residual(weights, X, y)
    return 2 * features.T @ residual


def step_limit(X: ArrayLike) -> float:
    """Return the step above which descent diverges: 2/λmax of the Hessian ``2XᵀX``, infinite if X is 0.

    >>> step_limit([[2.0, 0.0], [0.0, 1.0]])
    0.25
    """
    largest = float(np.linalg.norm(_finite("X", X, dimensions=2), ord=2))
    return 1 / largest**2 if largest else np.inf


def project_sparse(weights: ArrayLike, keep: int) -> Array:
    """Return the nearest vector with at most ``keep`` nonzeros; of equal magnitudes the lowest index stays.

    Raises:
        ValueError: if ``keep`` is outside [0, d].

    >>> project_sparse([1.0, -3.0, 2.0, -2.0], 2).tolist()
    [0.0, -3.0, 2.0, 0.0]
    """
    values = _finite("weights", weights, dimensions=1)
    return np.where(np.isin(np.arange(values.size), _largest(values, keep)), values, 0.0)


def normalized_step(weights: ArrayLike, X: ArrayLike, y: ArrayLike, *, keep: int) -> float:
    """Return the step of normalized iterative hard thresholding for the next projected gradient step.

    On the present support it is the step that lowers the loss most. If the projection would change the
    support, the step is halved until the loss cannot grow. A constant step must fit all weights at once
    and is therefore shorter. Where X is 0, the step is infinite. Source: Blumensath and Davies (2010),
    Normalized iterative hard thresholding, section III.

    Args:
        weights: the present weights ``(d,)``, at most ``keep`` of them nonzero.
        X: features ``(n, d)``.
        y: targets ``(n,)``.
        keep: the number of weights that the projection keeps.

    >>> normalized_step([0.0, 0.0], [[2.0, 0.0], [0.0, 1.0]], [2.0, 1.0], keep=1)
    0.125
    """
    features, residual = _residual(weights, X, y)
    values, gradient = _finite("weights", weights, dimensions=1), 2 * features.T @ residual
    support = np.flatnonzero(values)
    if support.size == 0:
        support = np.sort(_largest(gradient, keep))
    step = _line_search(gradient[support], features[:, support])
    if not np.isfinite(step):  # the gradient vanishes on the support
        step = step_limit(features) / 2
    while np.isfinite(step):
        moved = project_sparse(values - step * gradient, keep)
        change = moved - values
        if np.array_equal(np.flatnonzero(moved), support):
            break
        if step <= (1 - SAFETY) * _line_search(change, features):
            break
        step /= 2
    return step


def l1_subgradient(weights: ArrayLike) -> Array:
    """Return the subgradient of ``‖w‖₁`` of least norm: the sign, and 0 at 0.

    >>> l1_subgradient([-3.0, 0.0, 0.5]).tolist()
    [-1.0, 0.0, 1.0]
    """
    return np.sign(_finite("weights", weights, dimensions=1))


def soft_threshold(weights: ArrayLike, threshold: float) -> Array:
    """Apply the proximal operator of ``threshold · ‖w‖₁``: every weight moves towards 0 and stops there.

    Raises:
        ValueError: if ``threshold`` is negative or not finite.

    >>> soft_threshold([-3.0, 0.5, 2.0], 1.0).tolist()
    [-2.0, 0.0, 1.0]
    """
    values = _finite("weights", weights, dimensions=1)
    return np.sign(values) * np.maximum(np.abs(values) - _threshold(threshold), 0.0) + 0.0  # no −0.0


def trimmed_soft_threshold(weights: ArrayLike, threshold: float, smallest: int) -> Array:
    """Soft-threshold only the ``smallest`` weights of least magnitude; the others are unchanged.

    Of equal magnitudes the lowest index is spared, as :func:`project_sparse` keeps it.

    Raises:
        ValueError: if ``smallest`` is outside [0, d] or ``threshold`` is negative.

    >>> trimmed_soft_threshold([3.0, -0.5, 2.0], 1.0, 2).tolist()
    [3.0, 0.0, 1.0]
    """
    values = _finite("weights", weights, dimensions=1)
    spared = project_sparse(values, values.size - smallest)
    return spared + soft_threshold(values - spared, threshold)


def descend(update: Callable[[Array], Array], X: Array, y: Array, *, steps: int) -> Trajectory:
    """Apply ``update`` (weights ``(d,)`` to weights ``(d,)``) ``steps`` times, starting from zero.

    >>> descend(lambda w: w + 1, [[1.0]], [2.0], steps=2).losses.tolist()
    [4.0, 1.0, 0.0]
    """
    features, targets = _problem(X, y)
    if steps < 0:
        raise ValueError(f"steps must be at least 0, got {steps}.")
    weights = np.zeros((steps + 1, features.shape[1]))
    for index in range(steps):
        weights[index + 1] = update(weights[index])
    losses = np.sum((weights @ features.T - targets) ** 2, axis=1)
    return Trajectory(weights, losses)


def gradient_descent(X: Array, y: Array, *, step: float, steps: int) -> Trajectory:
    """Run full-batch gradient descent; from zero it converges to the solution of least norm."""
    return descend(_move(X, y, step), X, y, steps=steps)


def projected_descent(X: Array, y: Array, *, step: float, steps: int, keep: int) -> Trajectory:
    """Alternate gradient steps and projections onto ``keep`` nonzeros (iterative hard thresholding)."""
    move = _move(X, y, step)
    return descend(lambda w: project_sparse(move(w), keep), X, y, steps=steps)


def subgradient_descent(X: Array, y: Array, *, step: float, steps: int, l1: float) -> Trajectory:
    """Descend on ``‖Xw − y‖² + λ‖w‖₁`` along a subgradient; ``l1`` is λ."""
    move, pull = _move(X, y, step), _threshold(step * l1)
    return descend(lambda w: move(w) - pull * l1_subgradient(w), X, y, steps=steps)


def proximal_descent(X: Array, y: Array, *, step: float, steps: int, l1: float) -> Trajectory:
    """Alternate gradient steps and soft-thresholding by step · λ (ISTA); ``l1`` is λ."""
    move = _move(X, y, step)
    return descend(lambda w: soft_threshold(move(w), step * l1), X, y, steps=steps)


def trimmed_descent(X: Array, y: Array, *, step: float, steps: int, l1: float, smallest: int) -> Trajectory:
    """Alternate gradient steps and soft-thresholding of the ``smallest`` least magnitudes by step · λ."""
    move = _move(X, y, step)
    return descend(lambda w: trimmed_soft_threshold(move(w), step * l1, smallest), X, y, steps=steps)


def iterative_pruning(
    X: Array, y: Array, *, step: float, steps: int, schedule: Sequence[int]
) -> Trajectory:
    """Run gradient descent that removes the smallest weights on a schedule; they stay removed.

    ``schedule`` gives how many weights are kept after step 1, 2, …; its last entry applies from then on.
    """
    move, counts = _move(X, y, step), iter(schedule)
    alive = np.ones(np.shape(X)[1], dtype=bool)
    if not schedule or not all(0 <= keep <= alive.size for keep in schedule):
        raise ValueError(
            f"schedule must contain counts in [0, {alive.size}], at least one, got {schedule}."
        )

    def update(weights: Array) -> Array:
        moved = np.where(alive, move(weights), 0.0)
        alive[_largest(moved, alive.size)[next(counts, schedule[-1]) :]] = False
        return np.where(alive, moved, 0.0)

    return descend(update, X, y, steps=steps)


def fista(X: Array, y: Array, *, step: float, steps: int, l1: float) -> Trajectory:
    """Run :func:`proximal_descent` from extrapolated points (FISTA, Beck and Teboulle 2009, section 4)."""
    move, momentum, previous = _move(X, y, step), 0.0, np.zeros(np.shape(X)[1])

    def update(weights: Array) -> Array:
        nonlocal momentum, previous
        ahead = (1 + float(np.sqrt(1 + 4 * momentum**2))) / 2
        point = weights + (momentum - 1) / ahead * (weights - previous)
        momentum, previous = ahead, weights
        return soft_threshold(move(point), step * l1)

    return descend(update, X, y, steps=steps)


def _move(X: ArrayLike, y: ArrayLike, step: float) -> Callable[[Array], Array]:
    """Return the function that takes one gradient step."""
    features, targets = _problem(X, y)
    if not (np.isfinite(step) and step > 0):
        raise ValueError(f"step must be a positive number, got {step}.")
    return lambda weights: weights - step * (2 * features.T @ (features @ weights - targets))


def _line_search(direction: Array, X: Array) -> float:
    """Return ``‖v‖² / (2‖Xv‖²)``: the step that minimizes the loss along a gradient v; infinite if Xv is 0."""
    image = X @ direction
    curvature = 2 * float(image @ image)
    return float(direction @ direction) / curvature if curvature else np.inf


def _largest(values: Array, count: int) -> NDArray[np.intp]:
    """Return the indices of the ``count`` largest magnitudes; of equal ones the lowest index first."""
    if not 0 <= count <= values.size:
        raise ValueError(f"a number of weights must be in [0, {values.size}], got {count}.")
    return np.argsort(-np.abs(values), kind="stable")[:count]


def _residual(weights: ArrayLike, X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return X and the residual Xw − y."""
    features, targets = _problem(X, y)
    values = _finite("weights", weights, dimensions=1)
    if values.size != features.shape[1]:
        raise ValueError(f"X has {features.shape[1]} features (columns), but weights {values.size}.")
    return features, features @ values - targets


def _problem(X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return X and y as arrays; refuse different numbers of samples."""
    features, targets = _finite("X", X, dimensions=2), _finite("y", y, dimensions=1)
    if len(features) != targets.size:
        raise ValueError(f"X has {len(features)} samples (rows), but y has {targets.size}.")
    return features, targets


def _finite(name: str, values: ArrayLike, *, dimensions: int) -> Array:
    """Return ``values`` as a float64 array; refuse NaN, infinity and another number of dimensions."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions or not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite and have {dimensions} dimension(s), got {array!r:.200}.")
    return array


def _threshold(value: float) -> float:
    """Return a threshold; refuse a negative or non-finite one."""
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"a threshold (step · λ) must be a number ≥ 0, got {value}.")
    return value

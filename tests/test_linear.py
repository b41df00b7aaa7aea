"""Sparse least squares against oracles: finite differences, pseudo-inverse, Lasso, exhaustive search."""

from __future__ import annotations

import doctest
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import Lasso

from labkit import linear

X = np.array([[-2.0, 2, 1, -1, -1], [-2, 1, -2, 0, 1], [1, 0, -2, 2, -1]])
Y = np.array([5.0, 1, 1])
MU = 0.02
RUN = {"step": MU, "steps": 200}

# Few distinct values, so ties are common.
vectors = st.integers(1, 6).flatmap(
    lambda size: arrays(np.float64, size, elements=st.integers(-6, 6).map(lambda value: value / 2))
)
exact = settings(deadline=None, derandomize=True, max_examples=60)


def test_the_examples_in_the_docstrings_hold():
    results = doctest.testmod(linear)
    assert results.failed == 0
    assert results.attempted >= 8


@exact
@given(arrays(np.float64, 5, elements=st.floats(-3, 3)))
def test_the_gradient_agrees_with_finite_differences_of_the_loss(w):
    slopes = [(linear.squared_loss(w + e, X, Y) - linear.squared_loss(w - e, X, Y)) / 2 for e in np.eye(5)]
    np.testing.assert_allclose(linear.squared_loss_gradient(w, X, Y), slopes, atol=1e-9)


def test_descent_from_zero_reaches_the_solution_of_least_norm():
    run = linear.gradient_descent(X, Y, **RUN)
    assert run.weights.shape == (201, 5)
    assert run.losses.shape == (201,)
    assert run.losses[0] == 27
    np.testing.assert_allclose(run.final, np.linalg.pinv(X) @ Y, atol=1e-6)
    np.testing.assert_allclose(run.losses[-1], linear.squared_loss(run.final, X, Y), atol=1e-20)


def test_descent_converges_just_below_the_step_limit_and_diverges_just_above():
    limit = linear.step_limit(X)
    assert limit == pytest.approx(2 / np.linalg.eigvalsh(2 * X.T @ X)[-1], rel=1e-12)
    below, above = (linear.gradient_descent(X, Y, step=f * limit, steps=500) for f in (0.99, 1.01))
    assert below.losses[-1] < 1e-6
    assert above.losses[-1] > 1e6
    assert linear.step_limit(np.zeros((2, 3))) == np.inf


@exact
@given(vectors, st.data())
def test_the_projection_is_the_nearest_sparse_vector_and_keeps_exactly_k(w, data):
    k = data.draw(st.integers(0, w.size))
    projected = linear.project_sparse(w, k)
    distances = [np.sum(np.delete(w, support) ** 2) for support in combinations(range(w.size), k)]
    assert np.sum((projected - w) ** 2) == pytest.approx(min(distances), abs=1e-12)
    assert np.count_nonzero(projected) == min(k, np.count_nonzero(w))


def test_ties_are_broken_by_the_lowest_index():
    ties = np.array([1.0, -1, 2, 1, -1])
    assert linear.project_sparse(ties, 3).tolist() == [1, -1, 2, 0, 0]
    assert linear.trimmed_soft_threshold(ties, 0.5, 2).tolist() == [1, -1, 2, 0.5, -0.5]


@exact
@given(vectors, st.integers(0, 6).map(lambda value: value / 2))
def test_soft_thresholding_minimizes_its_definition(w, threshold):
    def cost(v):
        return 0.5 * (v - w) ** 2 + threshold * np.abs(v)

    got = linear.soft_threshold(w, threshold)
    for shift in (-0.25, -1e-3, 1e-3, 0.25):
        assert np.all(cost(got) <= cost(got + shift) + 1e-12)
    assert np.all(got[np.abs(w) <= threshold] == 0)
    assert not np.any(np.signbit(got) & (got == 0))


@exact
@given(vectors, st.data())
def test_trimming_shrinks_the_smallest_and_touches_nothing_else(w, data):
    smallest = data.draw(st.integers(0, w.size))
    got = linear.trimmed_soft_threshold(w, 0.5, smallest)
    spared = linear.project_sparse(w, w.size - smallest)
    np.testing.assert_array_equal(got, np.where(spared != 0, w, linear.soft_threshold(w, 0.5)))
    np.testing.assert_array_equal(
        linear.trimmed_soft_threshold(w, 0.5, w.size), linear.soft_threshold(w, 0.5)
    )
    np.testing.assert_array_equal(linear.trimmed_soft_threshold(w, 0.5, 0), w)


@pytest.mark.parametrize("l1", [0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("method", [linear.proximal_descent, linear.fista])
def test_proximal_methods_agree_with_lasso(l1, method):
    run = method(X, Y, step=MU, steps=3000, l1=l1)
    lasso = Lasso(alpha=l1 / (2 * len(X)), fit_intercept=False, tol=1e-12, max_iter=100_000).fit(X, Y)
    np.testing.assert_allclose(run.final, lasso.coef_, atol=1e-6)
    np.testing.assert_allclose(run.final, [0, 2 - l1 / 14, 0, 0, -1 + l1 / 7], atol=1e-6)


def _projected(A, b, keep, step):
    """Projected descent with a step per iteration: ``step`` maps weights to a step size."""
    return linear.descend(
        lambda w: linear.project_sparse(w - step(w) * linear.squared_loss_gradient(w, A, b), keep),
        A,
        b,
        steps=200,
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_normalized_step_never_raises_the_loss_and_recovers_more_than_a_constant_step(seed):
    rng = np.random.default_rng(seed)
    truth = np.zeros(100)
    truth[rng.choice(100, 5, replace=False)] = rng.choice([-1, 1], 5) * rng.uniform(0.5, 2, 5)
    A = rng.standard_normal((35, 100))
    adaptive = _projected(A, A @ truth, 5, lambda w: linear.normalized_step(w, A, A @ truth, keep=5))
    assert np.all(np.diff(adaptive.losses) <= 1e-9 * adaptive.losses[0])
    np.testing.assert_allclose(adaptive.final, truth, atol=1e-6)
    constant = _projected(A, A @ truth, 5, lambda _: linear.step_limit(A) / 2)
    assert adaptive.losses[-1] <= constant.losses[-1] + 1e-12


def test_a_normalized_step_is_the_exact_minimizer_along_the_gradient_on_its_support():
    w = np.array([0.0, 2.5, 0.0, 0.0, -1.2])
    step = linear.normalized_step(w, X, Y, keep=2)
    gradient = np.where(w != 0, linear.squared_loss_gradient(w, X, Y), 0.0)
    losses = [linear.squared_loss(w - factor * step * gradient, X, Y) for factor in (0.99, 1, 1.01)]
    assert losses[1] == min(losses)


def test_a_normalized_step_at_a_solution_or_without_features_is_a_number():
    assert 0 < linear.normalized_step([0.0, 2, 0, 0, -1], X, Y, keep=2) < linear.step_limit(X)
    assert linear.normalized_step([0.0, 0.0], np.zeros((2, 2)), [1.0, 1.0], keep=1) == np.inf


def test_fista_needs_fewer_steps_than_ista():
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((40, 80)), rng.standard_normal(40)
    step = linear.step_limit(A) / 2
    best = linear.fista(A, b, step=step, steps=5000, l1=5.0).final
    gaps = [
        np.abs(method(A, b, step=step, steps=150, l1=5.0).final - best).max()
        for method in (linear.fista, linear.proximal_descent)
    ]
    assert gaps[0] < gaps[1] / 5


@pytest.mark.parametrize("l1", [0.2, 0.5, 1.0, 2.0])
def test_subgradient_descent_gives_near_zeros_but_no_exact_one(l1):
    run = linear.subgradient_descent(X, Y, l1=l1, **RUN)
    assert np.all(run.weights[1:] != 0)
    assert np.sum(np.abs(run.final) < 0.1) >= 2


@pytest.mark.parametrize("l1", [1.0, 2.0, 5.0, 10.0])
def test_trimmed_descent_has_no_bias(l1):
    run = linear.trimmed_descent(X, Y, l1=l1, smallest=3, **RUN)
    np.testing.assert_allclose(run.final, [0, 2, 0, 0, -1], atol=1e-6)
    assert np.sum(run.final == 0) == 3


def test_projected_descent_leaves_a_wrong_support_but_a_permanent_mask_cannot():
    projected = linear.projected_descent(X, Y, keep=2, **RUN)
    assert np.flatnonzero(projected.weights[16]).tolist() == [0, 1]
    assert np.flatnonzero(projected.final).tolist() == [1, 4]
    pruned = linear.iterative_pruning(X, Y, schedule=(2,), **RUN)
    assert np.flatnonzero(pruned.final).tolist() == [0, 1]
    assert pruned.losses[-1] == pytest.approx(1 / 9, abs=1e-3)


def test_iterative_pruning_follows_its_schedule_and_revives_nothing():
    run = linear.iterative_pruning(X, Y, schedule=(5, 5, 4, 3, 3, 2), **RUN)
    assert np.count_nonzero(run.weights[1:8], axis=1).tolist() == [5, 5, 4, 3, 3, 2, 2]
    dead = run.weights[1:] == 0
    assert np.all(dead[1:] >= dead[:-1])
    np.testing.assert_array_equal(
        linear.iterative_pruning(X, Y, schedule=(5,), **RUN).weights,
        linear.gradient_descent(X, Y, **RUN).weights,
    )


def test_inputs_are_not_changed():
    w = np.array([1.0, -2, 0.5])
    for answer in (
        linear.project_sparse(w, 1),
        linear.l1_subgradient(w),
        linear.soft_threshold(w, 0.7),
        linear.trimmed_soft_threshold(w, 0.7, 2),
    ):
        assert answer is not w
    assert w.tolist() == [1, -2, 0.5]


def test_a_trajectory_cannot_be_reassigned():
    run = linear.gradient_descent(X, Y, step=MU, steps=0)
    assert run.weights.tolist() == [[0, 0, 0, 0, 0]]
    with pytest.raises(AttributeError):
        run.losses = np.zeros(1)  # type: ignore[misc]


NAN = np.array([1.0, np.nan])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear.squared_loss(np.ones(4), X, Y), "5 features"),
        (lambda: linear.squared_loss_gradient(np.ones(5), X, np.ones(4)), "3 samples"),
        (lambda: linear.squared_loss(np.ones(5), np.ones(5), Y), "X .* 2 dimension"),
        (lambda: linear.squared_loss(np.ones(2), np.array([[1.0, np.inf]]), [1.0]), "X must be finite"),
        (lambda: linear.gradient_descent(X, [5.0, np.nan, 1], **RUN), "y must be finite"),
        (lambda: linear.project_sparse(NAN, 1), "weights must be finite"),
        (lambda: linear.l1_subgradient(NAN), "weights must be finite"),
        (lambda: linear.soft_threshold(NAN, 0.1), "weights must be finite"),
        (lambda: linear.project_sparse([1.0, 2.0], 3), r"\[0, 2\], got 3"),
        (lambda: linear.project_sparse([1.0, 2.0], -1), r"\[0, 2\], got -1"),
        (lambda: linear.trimmed_soft_threshold([1.0, 2.0], 0.1, 3), r"\[0, 2\]"),
        (lambda: linear.trimmed_soft_threshold([1.0, 2.0], 0.1, -1), r"\[0, 2\]"),
        (lambda: linear.soft_threshold([1.0], -0.1), "threshold .* got -0.1"),
        (lambda: linear.soft_threshold([1.0], float("nan")), "threshold .* got nan"),
        (lambda: linear.subgradient_descent(X, Y, l1=-1.0, **RUN), "threshold"),
        (lambda: linear.gradient_descent(X, Y, step=0.0, steps=5), "step .* positive"),
        (
            lambda: linear.proximal_descent(X, Y, step=-0.1, steps=5, l1=1.0),
            "step .* positive",
        ),
        (lambda: linear.gradient_descent(X, Y, step=MU, steps=-1), "steps must be at least 0"),
        (lambda: linear.projected_descent(X, Y, keep=6, **RUN), r"\[0, 5\]"),
        (lambda: linear.iterative_pruning(X, Y, schedule=(), **RUN), "schedule"),
        (lambda: linear.iterative_pruning(X, Y, schedule=(6,), **RUN), "schedule"),
    ],
)
def test_bad_input_is_refused_and_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

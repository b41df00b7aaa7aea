import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.cluster import KMeans
from tiny import same_state, seeded_network, tiny_dataset
from torch import nn

from labkit.models import prunable_weights
from labkit.pruning.magnitude import apply_masks, layer_masks, sparsity_by_layer
from labkit.quantization.kmeans import INITIALIZATIONS, initial_centroids, kmeans
from labkit.quantization.weight_sharing import (
    SharedWeights,
    share_layers,
    share_weights,
    shared_layers,
    unshare_layers,
    unshare_weights,
)
from labkit.training import TrainConfig, fit

PROPERTY = settings(deadline=None, derandomize=True, max_examples=100)

values_with_ties = arrays(np.float32, st.integers(0, 40), elements=st.integers(-8, 8).map(lambda n: n / 4))
real_values = arrays(np.float32, st.integers(0, 40), elements=st.floats(-1000, 1000, width=32))
clusters_wanted = st.integers(1, 9)


def normal(count, seed=0):
    return np.random.default_rng(seed).standard_normal(count).astype(np.float32)


def pruned(count, seed=0, share=0.9):
    """The values that survive magnitude pruning of a normal layer: two humps with a gap between."""
    values = normal(count, seed)
    return values[np.abs(values) > np.quantile(np.abs(values), share)]


def optimal_error(values, clusters):
    """The exact optimum by dynamic programming over all ways to cut the sorted values, O(k·n²)."""
    values = np.sort(values.astype(np.float64).ravel())
    values -= values.mean()
    sums, squares = (np.append(0.0, (values**power).cumsum()) for power in (1, 2))
    counts = np.arange(len(sums))[None, :] - np.arange(len(sums))[:, None]
    error = (
        squares[None, :] - squares[:, None] - (sums[None, :] - sums[:, None]) ** 2 / np.maximum(counts, 1)
    )
    error = np.where(counts >= 0, np.maximum(error, 0.0), np.inf)  # of one cluster over rows [low, high)
    best = np.append(0.0, np.full(len(values), np.inf))
    for _ in range(clusters):
        best = (best[:, None] + error).min(axis=0)
    return best[-1]


def plain_lloyd(values, centroids, iterations):
    """Lloyd's algorithm as the textbook has it: all distances, then all means."""
    for _ in range(iterations):
        nearest = np.abs(values[:, None] - centroids[None, :]).argmin(axis=1)
        centroids = np.array([
            values[nearest == cluster].mean() if (nearest == cluster).any() else centroids[cluster]
            for cluster in range(len(centroids))
        ])  # fmt: skip
    return centroids


@given(st.one_of(values_with_ties, real_values), clusters_wanted, st.sampled_from(INITIALIZATIONS))
@PROPERTY
def test_the_result_is_a_fixed_point_no_better_than_the_exact_optimum(values, clusters, initialization):
    result = kmeans(values, clusters, initialization=initialization)
    wide = values.astype(np.float64)
    assert result.converged
    assert len(result.centroids) <= clusters
    assert (np.diff(result.centroids) > 0).all()
    assert set(result.indices.tolist()) == set(range(len(result.centroids)))  # every cluster is used
    distances = np.abs(wide[:, None] - result.centroids[None, :])
    chosen = np.take_along_axis(distances, result.indices[:, None].astype(int), axis=1)[:, 0]
    assert (chosen <= distances.min(axis=1, initial=np.inf) + 1e-9).all()  # nearest centroid
    for cluster, centroid in enumerate(result.centroids):  # each the mean of its values
        assert centroid == pytest.approx(wide[result.indices == cluster].mean(), abs=1e-9)
    assert result.squared_error == pytest.approx((chosen**2).sum(), rel=1e-9, abs=1e-12)
    optimum = optimal_error(values, clusters) if len(values) else 0.0
    # the oracle subtracts sums of squares
    assert result.squared_error >= optimum - 1e-12 * max(1.0, (wide**2).sum())


@pytest.mark.parametrize("clusters", [2, 8, 16])
@pytest.mark.parametrize("sample", [normal(1500, 1), pruned(15_000, 2)], ids=["normal", "pruned"])
def test_density_start_comes_close_to_the_exact_optimum(sample, clusters):
    assert kmeans(sample, clusters).squared_error <= 1.10 * optimal_error(sample, clusters)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
@pytest.mark.parametrize("clusters", [7, 200])
def test_assignment_in_the_values_own_type_is_exact(dtype, clusters):
    values = (300 * normal(70_000, 6)).round(1).astype(dtype)  # many ties, more than one block
    result = kmeans(values, clusters, max_iterations=3)
    middle = (result.centroids[1:] + result.centroids[:-1]) / 2
    expected = np.searchsorted(middle, values.astype(np.float64), side="right")
    np.testing.assert_array_equal(result.indices, expected)


def test_a_value_halfway_between_two_centroids_belongs_to_the_upper_one():
    values = np.array([0, 0, 1, 2, 2], dtype=np.float32)
    result = kmeans(values, 2, initialization="linear", max_iterations=0)
    assert result.indices.tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("seed", range(20))
def test_half_precision_values_that_repeat_often_are_clustered_like_the_same_in_single(seed):
    """Sorting them as float16 goes wrong in NumPy 2.4 on some processors, one time in six."""
    generator = np.random.default_rng(seed)
    levels = (0.15 * generator.normal(size=8)).astype(np.float16)
    values = generator.choice(levels, 5000, p=generator.dirichlet(np.ones(8)))
    assert kmeans(values, 8).squared_error == 0
    half, single = kmeans(values, 3), kmeans(values.astype(np.float32), 3)
    np.testing.assert_array_equal(half.centroids, single.centroids)
    np.testing.assert_array_equal(half.indices, single.indices)


def test_two_clusters_are_cut_at_the_optimum():
    values = np.array([0.0, 0.1, 0.2, 5.0, 5.1, 9.9])
    result = kmeans(values, 3)
    assert result.squared_error == pytest.approx(optimal_error(values, 3))
    assert result.indices.tolist() == [0, 0, 0, 1, 1, 2]


@pytest.mark.parametrize("iterations", [0, 1, 2, 7])
def test_follows_the_textbook_step_by_step(iterations):
    values = np.round(pruned(20_000).astype(np.float64), 3)
    start = initial_centroids(values, 12, "linear")
    expected = plain_lloyd(values, start, iterations)
    nearest = np.abs(values[:, None] - expected[None, :]).argmin(axis=1)
    used = np.unique(nearest)
    result = kmeans(values, 12, initialization="linear", max_iterations=iterations)
    assert 0 < len(used) < 12  # the case has empty clusters in the gap
    np.testing.assert_allclose(result.centroids, expected[used], rtol=1e-12)
    np.testing.assert_array_equal(result.indices, np.searchsorted(used, nearest))
    assert (result.iterations, result.converged) == (iterations, False)


@pytest.mark.parametrize("initialization", INITIALIZATIONS)
def test_ends_where_sklearn_ends_from_the_same_start(initialization):
    values = normal(4000, 3)
    start = initial_centroids(values, 16, initialization, seed=5)
    peer = KMeans(16, init=start[:, None], n_init=1, max_iter=3000, tol=0.0, algorithm="lloyd")
    peer.fit(values.astype(np.float64)[:, None])
    result = kmeans(values, 16, initialization=initialization, seed=5, max_iterations=3000)
    np.testing.assert_allclose(result.centroids, np.sort(peer.cluster_centers_[:, 0]), rtol=1e-9)
    assert result.squared_error == pytest.approx(peer.inertia_, rel=1e-9)


def test_density_start_beats_linear_start_where_pruning_left_a_gap():
    values = pruned(100_000)
    density, linear = (kmeans(values, 32, initialization=name) for name in ("density", "linear"))
    assert linear.squared_error > 1.3 * density.squared_error
    assert len(linear.centroids) < len(density.centroids) == 32


def test_linear_start_is_even_and_reaches_both_ends():
    start = initial_centroids(np.array([4.0, -2.0, 0.5]), 4, "linear")
    np.testing.assert_allclose(start, [-2, 0, 2, 4], atol=1e-12)


def test_random_start_draws_distinct_values():
    values = normal(50)
    start = initial_centroids(values, 50, "random")
    np.testing.assert_allclose(start, np.sort(values.astype(np.float64)), atol=1e-12)
    few = [initial_centroids(values, 3, "random", seed=seed) for seed in range(200)]
    assert all(np.isclose(start[:, None], values[None]).any(axis=1).all() for start in few)
    assert len({start[0] for start in few}) > 10


def test_plus_plus_draws_with_probability_of_the_squared_distance():
    values = np.array([0.0, 1.0, 3.0, 7.0])
    trials = 4000
    pairs = [tuple(np.round(initial_centroids(values, 2, "kmeans++", seed=seed))) for seed in range(trials)]
    for i, low in enumerate(values):
        for high in values[i + 1 :]:
            gap = (high - low) ** 2
            expected = sum(0.25 * gap / ((values - first) ** 2).sum() for first in (low, high))
            share = pairs.count((low, high)) / trials
            assert share == pytest.approx(expected, abs=4 * np.sqrt(expected / trials) + 1e-9)


def test_plus_plus_never_draws_a_value_twice():
    values = np.repeat(np.arange(6.0), 10)
    for seed in range(100):
        np.testing.assert_allclose(
            initial_centroids(values, 6, "kmeans++", seed=seed), np.arange(6), atol=1e-12
        )


def test_density_start_follows_the_cube_root_of_the_density():
    # density 8 on [0, 1) and 1 on [1, 2): cube roots 2 and 1, so two thirds of the centroids below 1
    values = np.concatenate([np.linspace(0, 1, 80_000, endpoint=False), np.linspace(1, 2, 10_000)])
    start = initial_centroids(values, 30, "density")
    assert (start < 1).sum() == 20
    np.testing.assert_allclose(np.diff(start[:19]), 0.05, rtol=0.02)
    np.testing.assert_allclose(np.diff(start[21:]), 0.10, rtol=0.02)


@pytest.mark.parametrize("initialization", INITIALIZATIONS)
def test_the_same_seed_gives_the_same_clusters(initialization):
    values = normal(5000)
    first, second = (kmeans(values, 8, initialization=initialization, seed=7) for _ in range(2))
    assert np.array_equal(first.centroids, second.centroids)
    assert np.array_equal(first.indices, second.indices)
    if initialization in ("random", "kmeans++"):
        other = kmeans(values, 8, initialization=initialization, seed=8, max_iterations=1)
        once = kmeans(values, 8, initialization=initialization, seed=7, max_iterations=1)
        assert not np.array_equal(once.centroids, other.centroids)


@pytest.mark.parametrize("initialization", INITIALIZATIONS)
@pytest.mark.parametrize(
    ("values", "centroids"),
    [([], []), ([2.5] * 7, [2.5]), ([0.1, 0.3, 0.1], [0.1, 0.3]), ([-1, 5, 2, 5], [-1, 2, 5])],
)
def test_no_more_values_than_clusters_are_kept_exactly(values, centroids, initialization):
    values = np.array(values, dtype=np.float64)
    result = kmeans(values, 3, initialization=initialization)
    assert result.centroids.tolist() == centroids
    assert result.centroids[result.indices].tolist() == values.tolist()
    assert (result.squared_error, result.converged) == (0.0, True)


def test_far_from_zero_nothing_is_lost_to_cancellation():
    values = np.tile([0.0, 0.001, 1.0, 1.001], 1000) + 1e6
    result = kmeans(values, 2, initialization="linear")
    np.testing.assert_allclose(result.centroids - 1e6, [0.0005, 1.0005], atol=1e-8)
    assert result.squared_error == pytest.approx(4000 * 0.0005**2, rel=1e-4)


@pytest.mark.parametrize(("clusters", "dtype"), [(256, np.uint8), (257, np.uint16)])
def test_shape_is_kept_and_indices_are_as_small_as_can_be(clusters, dtype):
    values = normal(6000).reshape(10, 20, 30)
    result = kmeans(values, clusters)
    assert result.indices.shape == values.shape
    assert (len(result.centroids), result.indices.dtype) == (clusters, dtype)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([1.0, np.nan], {}, "1 of 2 values are NaN or infinite"),
        ([np.inf], {}, "1 of 1 values are NaN or infinite"),
        ([1.0], {"clusters": 0}, "clusters must be at least 1, got 0"),
        ([1.0], {"initialization": "best"}, "initialization must be one of .* got 'best'"),
        ([1.0], {"max_iterations": -1}, "max_iterations must be at least 0"),
    ],
)
def test_what_cannot_be_clustered_is_refused(values, options, message):
    with pytest.raises(ValueError, match=message):
        kmeans(np.array(values), **{"clusters": 2, **options})


def test_a_start_without_enough_values_is_refused():
    with pytest.raises(ValueError, match=r"cannot start 2 clusters \(linear\) from 0 values"):
        initial_centroids(np.array([]), 2, "linear")
    with pytest.raises(ValueError, match=r"cannot start 2 clusters \(random\) from 1 values"):
        initial_centroids(np.array([1.0]), 2, "random")


@given(real_values, st.integers(1, 6), st.integers(0, 2**16))
@PROPERTY
def test_index_0_is_for_zeros_and_they_are_never_clustered(values, clusters, kept):
    mask = np.random.default_rng(kept).random(values.shape) < 0.5
    weight = torch.from_numpy(np.where(mask, values, np.float32(0)))
    shared = share_weights(weight, clusters)
    assert shared.codebook[0] == 0
    assert torch.equal(shared.indices == 0, weight == 0)
    nonzero = weight[weight != 0]
    alone = kmeans(nonzero.numpy(), clusters)
    assert shared.codebook[1:].tolist() == alone.centroids.astype(np.float32).tolist()
    assert torch.equal(unshare_weights(shared), shared.codebook[shared.indices.long()])


@pytest.mark.parametrize("clusters", [255, 256, 300])
def test_more_than_255_clusters_need_wider_indices(clusters):
    weight = torch.arange(-200.0, 400.0).view(20, 30)
    shared = share_weights(weight, clusters)
    assert shared.indices.dtype == (torch.uint8 if clusters == 255 else torch.int32)
    assert int(shared.indices.max()) == clusters
    assert torch.equal(shared.indices == 0, weight == 0)
    # 599 consecutive integers in so many clusters: two or three each
    assert (unshare_weights(shared) - weight).abs().max() <= 2


@pytest.mark.parametrize("weight", [torch.zeros(3, 4), torch.empty(0, 4)])
def test_an_all_zero_or_empty_weight_has_a_codebook_of_0_alone(weight):
    shared = share_weights(weight, 4)
    assert shared.codebook.tolist() == [0.0]
    assert torch.equal(unshare_weights(shared), weight)


def test_a_shared_weight_in_the_wrong_state_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        share_weights(torch.tensor([float("nan")]), 2)
    with pytest.raises(ValueError, match="shared already"):
        share_layers(share_layers(seeded_network(), 4), 4)


def sparse_network():
    model = seeded_network()
    apply_masks(model, layer_masks(model, 0.5))
    return model


def test_shared_layers_compute_with_their_codebooks():
    model = sparse_network()
    shared = share_layers(model, 4)
    assert list(shared_layers(shared)) == list(prunable_weights(model)) == ["0.weight", "5.weight"]
    assert not shared_layers(model)
    assert [p.shape for p in shared[0].parameters()] == [(4,)]  # the codebook is what an optimizer sees
    for name, layer in shared_layers(shared).items():
        weight = prunable_weights(shared)[name]
        assert torch.equal(weight, unshare_weights(layer))
        assert torch.equal(weight, unshare_weights(share_weights(prunable_weights(model)[name], 4)))
        assert torch.equal(weight == 0, prunable_weights(model)[name] == 0)


def test_the_gradient_of_an_entry_is_the_sum_of_its_weights_gradients():
    model = sparse_network()
    shared = share_layers(model, 4)
    plain = unshare_layers(shared)
    x = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for network in (shared, plain):
        network(x).square().sum().backward()
    for name, layer in shared_layers(shared).items():
        gradient = prunable_weights(plain)[name].grad
        expected = torch.stack([gradient[layer.indices == entry].sum() for entry in range(1, 5)])
        entries = shared[int(name[0])].parametrizations.weight.original
        torch.testing.assert_close(entries.grad, expected, rtol=1e-4, atol=1e-5)


def test_unshared_layers_are_ordinary_again():
    model = sparse_network()
    shared = share_layers(model, 3)
    plain = unshare_layers(shared)
    assert plain.state_dict().keys() == model.state_dict().keys()
    assert type(plain[0]) is nn.Conv2d
    assert isinstance(plain[0].weight, nn.Parameter)
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(plain.eval()(x), shared.eval()(x))
    assert list(shared_layers(shared)) == ["0.weight", "5.weight"]  # the original still is shared
    assert same_state(unshare_layers(plain), plain)


def test_training_moves_the_codebook_and_neither_zeros_nor_indices():
    shared = share_layers(sparse_network(), 4)
    before = shared_layers(shared)
    config = TrainConfig(epochs=8, batch_size=32, peak_lr=0.02)
    records = fit(shared, tiny_dataset(), config, progress=False)
    after = shared_layers(shared)
    assert sparsity_by_layer(shared) == sparsity_by_layer(sparse_network())
    for name, layer in after.items():
        assert torch.equal(layer.indices, before[name].indices)
        assert layer.codebook[0] == 0
        assert not torch.isclose(layer.codebook[1:], before[name].codebook[1:]).any()
    assert records[-1].train_loss < 0.9 * records[0].train_loss


def test_shared_weights_of_a_convolution_survive_the_state_dict():
    first, second = share_layers(sparse_network(), 4), share_layers(sparse_network(), 4)
    with torch.no_grad():
        first[0].parametrizations.weight.original.mul_(2)
    second.load_state_dict(first.state_dict())
    assert same_state(first, second)
    assert isinstance(shared_layers(second)["0.weight"], SharedWeights)

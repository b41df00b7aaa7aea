import warnings

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso, LinearRegression
from tiny import tiny_dataset
from torch import nn
from torch.nn import functional
from torchprofile import profile_macs

from labkit.models import VGG16
from labkit.pruning.channel_reconstruction import (
    channel_gram,
    lasso_path,
    least_squares,
    relative_error,
    streamed_moments,
)
from labkit.pruning.channel_selection import SELECTIONS, bisect_channels, select_channels
from labkit.pruning.channels import (
    layer_moments,
    prune_channels,
    reconstruct,
    reestimate_batch_norm,
    slice_channels,
    training_images,
)
from labkit.quantization.layers import quantize_layers

WIDTHS = (4, 5, 6, 4, 6, 5, 4, 6, 5, 4, 6, 8, 7)
KEEP = (4, 3, 4, 4, 3, 5, 2, 3, 5, 2, 3, 4, 5)


def small_vgg(seed=0, channels=WIDTHS):
    """A narrow VGG16 in evaluation mode with batch-norm statistics that differ from channel to channel."""
    torch.manual_seed(seed)
    model = VGG16(10, channels=channels)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight.data, 0.5, 1.5),
                (module.bias.data, -0.2, 0.8),
                (module.running_mean, -0.3, 0.3),
                (module.running_var, 0.5, 2.0),
            ):
                tensor.uniform_(low, high)
    return model.eval()


def convolutions(model):
    return [module for module in model.features if isinstance(module, nn.Conv2d)]


def norms(model):
    return [module for module in model.features if isinstance(module, nn.BatchNorm2d)]


def layer(c=6, n=5, images=40, *, dtype=torch.float64, seed=0):
    """Correlated inputs of a 3×3 convolution, its weight, and targets that it nearly explains."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(c, c, generator=generator, dtype=dtype) + 2 * torch.eye(c, dtype=dtype)
    inputs = torch.randn(images, c, 4, 4, generator=generator, dtype=dtype)
    inputs = torch.einsum("ij,bjhw->bihw", mixing, inputs).relu()
    weight = torch.randn(n, c, 3, 3, generator=generator, dtype=dtype)
    weight *= torch.rand(1, c, 1, 1, generator=generator, dtype=dtype)
    targets = functional.conv2d(inputs, weight, padding=1)
    return inputs, weight, targets + 0.1 * torch.randn(targets.shape, generator=generator, dtype=dtype)


def unfolded(inputs, targets):
    """Return X ``(N, c·9)`` and Y ``(N, n)`` in full."""
    x = functional.unfold(inputs, 3, padding=1).transpose(1, 2).flatten(0, 1)
    return x, targets.permute(0, 2, 3, 1).flatten(0, 2)


def design(x, weight):
    """Return Z ``(N·n, c)``: column i is the flattened XᵢWᵢᵀ."""
    c = weight.shape[1]
    columns = [x[:, 9 * i : 9 * i + 9] @ weight[:, i].flatten(1).T for i in range(c)]
    return torch.stack([column.flatten() for column in columns], dim=1)


def moments_of(inputs, targets, batch=7):
    batches = zip(inputs.split(batch), targets.split(batch), strict=True)
    return streamed_moments(batches, (3, 3), padding=1)


# Moments


@pytest.mark.parametrize("batch", [1, 7, 40])
def test_moments_streamed_in_batches_equal_the_direct_product(batch):
    inputs, _, targets = layer()
    x, y = unfolded(inputs, targets)
    moments = moments_of(inputs, targets, batch)
    torch.testing.assert_close(moments.xx, x.T @ x)
    torch.testing.assert_close(moments.xy, x.T @ y)
    assert moments.yy == pytest.approx(float(y.square().sum()))
    assert (moments.rows, moments.kernel_size, moments.channel_count) == (640, 9, 6)


def test_moments_of_single_precision_inputs_are_summed_in_double_precision():
    inputs, _, targets = layer(dtype=torch.float32)
    moments = moments_of(inputs, targets)
    x, y = unfolded(inputs.double(), targets.double())
    assert moments.xx.dtype == moments.xy.dtype == torch.float64
    torch.testing.assert_close(moments.xx, x.T @ x, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(moments.xy, x.T @ y, rtol=1e-5, atol=1e-3)


def test_a_layer_without_batches_has_no_moments():
    with pytest.raises(ValueError, match="no batches"):
        streamed_moments([], (3, 3))


@pytest.mark.parametrize("c", [6, 40])
def test_the_gram_of_channels_is_that_of_the_full_design(c):
    inputs, weight, targets = layer(c)
    x, y = unfolded(inputs, targets)
    z = design(x, weight)
    gram, target = channel_gram(moments_of(inputs, targets), weight)
    torch.testing.assert_close(gram, z.T @ z)
    torch.testing.assert_close(target, z.T @ y.flatten())


# Selection


@pytest.mark.parametrize("share", [0.5, 0.1, 0.02])
def test_the_path_holds_scikit_learns_lasso_solution_on_the_full_design(share):
    inputs, weight, targets = layer(c=12)
    x, y = unfolded(inputs, targets)
    z = design(x, weight)
    gram, target = channel_gram(moments_of(inputs, targets), weight)
    path = lasso_path(gram, target, len(z))
    alpha = share * path.alphas[0]
    solver = Lasso(alpha=alpha, fit_intercept=False, tol=1e-12, max_iter=100_000)
    solver.fit(z.numpy(), y.flatten().numpy())
    beta = [np.interp(alpha, path.alphas[::-1], row[::-1]) for row in path.coefficients]
    np.testing.assert_allclose(beta, solver.coef_, atol=1e-7)
    assert 0 < np.count_nonzero(solver.coef_) < 12


def test_lasso_keeps_what_scikit_learn_keeps_at_the_alpha_of_that_count():
    inputs, weight, targets = layer(c=12)
    x, y = unfolded(inputs, targets)
    moments = moments_of(inputs, targets)
    path = lasso_path(*channel_gram(moments, weight), len(x) * 5)
    for count in range(1, 12):
        at = int(((path.coefficients != 0).sum(0) >= count).argmax())
        solver = Lasso(alpha=path.alphas[at], fit_intercept=False, tol=1e-12, max_iter=100_000)
        beta = abs(solver.fit(design(x, weight).numpy(), y.flatten().numpy()).coef_)
        expected = sorted(np.argsort(-beta, kind="stable")[:count].tolist())
        assert select_channels(moments, weight, count).tolist() == expected


@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_rule_keeps_exactly_the_number_requested(selection):
    inputs, weight, targets = layer(c=12)
    moments = moments_of(inputs, targets)
    for count in range(1, 13):
        chosen = select_channels(moments, weight, count, selection=selection)
        assert chosen.dtype == torch.int64
        assert chosen.tolist() == sorted(set(chosen.tolist()))
        assert len(chosen) == count


def test_energy_and_norm_rank_by_energy_and_norm():
    inputs, weight, targets = layer(c=12)
    moments, x = moments_of(inputs, targets), unfolded(inputs, targets)[0]
    energy = design(x, weight).norm(dim=0)
    norm = weight.transpose(0, 1).flatten(1).norm(dim=1)
    for selection, score in (("energy", energy), ("norm", norm)):
        expected = sorted(score.argsort(descending=True)[:5].tolist())
        assert select_channels(moments, weight, 5, selection=selection).tolist() == expected


def test_the_random_rule_depends_on_its_seed_alone():
    inputs, weight, targets = layer(c=12)
    moments = moments_of(inputs, targets)
    first, again, other = (
        select_channels(moments, weight, 6, selection="random", seed=seed).tolist() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_dead_and_doubled_channels_are_chosen_last():
    inputs, weight, _ = layer(c=8)
    inputs[:, [0, 3]] = 0
    inputs[:, 5], weight[:, 5] = inputs[:, 6], weight[:, 6]
    moments = moments_of(inputs, functional.conv2d(inputs, weight, padding=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not {0, 3} & set(select_channels(moments, weight, 6).tolist())
        assert not {0, 3} <= set(select_channels(moments, weight, 7).tolist())
        assert select_channels(moments, weight, 8).tolist() == list(range(8))


def test_a_layer_with_only_dead_inputs_still_gives_the_number_requested():
    _, weight, _ = layer()
    nothing = torch.zeros(3, 6, 4, 4, dtype=torch.float64)
    moments = moments_of(nothing, functional.conv2d(nothing, weight, padding=1))
    chosen = select_channels(moments, weight, 2)
    assert len(chosen) == 2
    assert torch.equal(least_squares(moments, chosen), torch.zeros(5, 18, dtype=torch.float64))


def test_wrong_counts_and_rules_are_refused():
    inputs, weight, targets = layer()
    moments = moments_of(inputs, targets)
    for count in (0, 7):
        with pytest.raises(ValueError, match=f"cannot keep {count} of 6 channels"):
            select_channels(moments, weight, count)
    with pytest.raises(ValueError, match="selection 'largest'"):
        select_channels(moments, weight, 3, selection="largest")


def test_bisection_on_all_rows_agrees_with_the_path():
    inputs, weight, targets = layer(c=12, images=15)
    x, y = unfolded(inputs, targets)  # 240 rows, all drawn
    bisection = bisect_channels(x, y, weight, 6, tolerance=0.0)
    assert bisection.channels.tolist() == select_channels(moments_of(inputs, targets), weight, 6).tolist()
    assert bisection.solves > 1


def test_bisection_ends_where_no_alpha_keeps_the_number_requested():
    inputs, weight, _ = layer(c=6, images=15)
    inputs[:, 1:] = 0
    x, y = unfolded(inputs, functional.conv2d(inputs, weight, padding=1))
    assert len(bisect_channels(x, y, weight, 3, tolerance=0.0).channels) == 1


def test_bisection_draws_at_most_400_rows_and_accepts_a_tenth_more_channels():
    inputs, weight, targets = layer(c=20, images=60)
    x, y = unfolded(inputs, targets)  # 960 rows
    search = bisect_channels(x, y, weight, 10)
    assert 10 <= len(search.channels) <= 11
    drawn = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:400]
    y[[row for row in range(len(x)) if row not in drawn.tolist()]] = 1e6
    assert torch.equal(bisect_channels(x, y, weight, 10).channels, search.channels)


def test_bisection_has_an_intercept():
    inputs, weight, targets = layer(c=12, images=15)
    x, y = unfolded(inputs, targets)
    shifted = bisect_channels(x, y + 100.0, weight, 6)
    assert torch.equal(shifted.channels, bisect_channels(x, y, weight, 6).channels)


# Reconstruction


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_error_is_never_above_that_of_scikit_learns_least_squares(dtype):
    inputs, weight, targets = layer(c=8, dtype=dtype)
    kept = torch.tensor([0, 2, 3, 6])
    moments = moments_of(inputs, targets)
    fitted = least_squares(moments, kept)
    x, y = (part.double().numpy() for part in unfolded(inputs, targets))
    x = x.reshape(len(x), 8, 9)[:, kept].reshape(len(x), -1)
    ours = np.square(y - x @ fitted.numpy().T).sum()
    peer = LinearRegression(fit_intercept=False).fit(x, y)
    theirs = np.square(y - x @ peer.coef_.T).sum()
    assert ours <= theirs * (1 + 1e-9)
    assert relative_error(moments, kept, fitted) == pytest.approx(theirs / np.square(y).sum(), rel=1e-4)
    plain = weight.double()[:, kept]
    assert relative_error(moments, kept, fitted) < relative_error(moments, kept, plain)


def test_dead_and_doubled_inputs_are_fitted_as_well_as_without_them():
    inputs, _, targets = layer(c=8)
    inputs[:, 0] = 0
    inputs[:, 5] = inputs[:, 6]
    moments = moments_of(inputs, targets)
    fitted = least_squares(moments, torch.arange(8))
    without = torch.tensor([1, 2, 3, 4, 6, 7])
    best = relative_error(moments, without, least_squares(moments, without))
    assert relative_error(moments, torch.arange(8), fitted) == pytest.approx(best, abs=1e-8)
    assert not fitted[:, :9].any()
    assert fitted.isfinite().all()


def test_fewer_rows_than_columns_are_fitted_exactly_with_finite_weights():
    inputs, _, targets = layer(c=8, images=2)  # 32 rows, 72 columns
    moments = moments_of(inputs, targets)
    fitted = least_squares(moments, torch.arange(8))
    assert fitted.isfinite().all()
    assert relative_error(moments, torch.arange(8), fitted) < 1e-6


# Slicing


def test_a_channel_that_is_always_zero_can_be_removed_without_changing_the_outputs():
    model = small_vgg()
    for norm in norms(model):
        norm.weight.data[[0, 3]] = 0
        norm.bias.data[[0, 3]] = 0
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    kept = [torch.tensor([i for i in range(width) if i not in (0, 3)]) for width in WIDTHS]
    small = slice_channels(model, kept)
    torch.testing.assert_close(small(images), model(images), rtol=1e-5, atol=1e-6)
    assert [c.out_channels for c in convolutions(small)] == [width - 2 for width in WIDTHS]


def test_a_channel_that_the_next_layer_ignores_can_be_removed_without_changing_the_outputs():
    model = small_vgg()
    kept = [torch.arange(width)[1:] for width in WIDTHS]
    with torch.no_grad():
        for reader in [*convolutions(model)[1:], model.classifier[0]]:
            reader.weight[:, 0] = 0
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(slice_channels(model, kept)(images), model(images), rtol=1e-5, atol=1e-6)


def test_removing_a_channel_that_matters_changes_the_outputs():
    model = small_vgg()
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    kept = [torch.arange(width) for width in WIDTHS]
    assert torch.equal(slice_channels(model, kept)(images), model(images))
    kept[4] = kept[4][1:]
    assert not torch.allclose(slice_channels(model, kept)(images), model(images), atol=1e-4)


def test_slicing_takes_every_tensor_of_a_channel_and_leaves_the_model_alone():
    model = small_vgg()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    kept = [torch.arange(width).flip(0)[:2].sort().values for width in WIDTHS]
    small = slice_channels(model, kept).state_dict()
    assert torch.equal(small["features.3.weight"], before["features.3.weight"][3:][:, 2:])
    for part in ("weight", "bias", "running_mean", "running_var"):
        assert torch.equal(small[f"features.4.{part}"], before[f"features.4.{part}"][3:])
    assert torch.equal(small["classifier.0.weight"], before["classifier.0.weight"][:, 5:])
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    with pytest.raises(ValueError, match="13 in all, got 2"):
        slice_channels(model, kept[:2])


# The whole network


def closed_form_macs(channels, classes):
    """Count MACs as torchprofile does: one per output value of batch norm, none for a bias."""
    sizes = (32, 32, 16, 16, 8, 8, 8, 4, 4, 4, 2, 2, 2)
    pairs = zip((3, *channels), channels, sizes, strict=False)
    return (
        sum((9 * a + 1) * b * s * s for a, b, s in pairs) + channels[-1] * 512 + 512 * 512 + 512 * classes
    )


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_pruned_network_has_the_channels_requested_and_the_macs_that_follow(selection):
    model, dataset = small_vgg(), tiny_dataset()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    small = prune_channels(model, dataset, KEEP, selection=selection, image_count=20)
    assert tuple(c.out_channels for c in convolutions(small)) == KEEP
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macs = profile_macs(small, torch.zeros(1, 3, 32, 32))
    assert macs == closed_form_macs(KEEP, 10)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not small.training


def test_only_the_convolutions_named_lose_channels():
    small = prune_channels(small_vgg(), tiny_dataset(), {4: 2, 12: 3}, image_count=20)
    expected = [*WIDTHS[:4], 2, *WIDTHS[5:12], 3]
    assert [c.out_channels for c in convolutions(small)] == expected


def test_the_first_pruned_layer_reads_the_channels_its_moments_select_and_is_fitted_to_them():
    model, dataset = small_vgg(), tiny_dataset()
    moments = layer_moments(model, dataset, 4, image_count=20)
    kept = select_channels(moments, convolutions(model)[4].weight, 2)
    small = prune_channels(model, dataset, {3: 2}, image_count=20)
    reader, producer = convolutions(small)[4], convolutions(small)[3]
    expected = least_squares(moments, kept).view(6, 2, 3, 3)
    torch.testing.assert_close(reader.weight.double(), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(producer.weight, convolutions(model)[3].weight[kept])
    assert torch.equal(reader.bias, convolutions(model)[4].bias)


def test_moments_of_a_layer_are_of_its_inputs_after_pooling_and_of_its_targets_without_bias():
    model, dataset = small_vgg(), tiny_dataset()
    images = training_images(dataset, 20, 0)
    for index, name in ((0, "features.0"), (2, "features.7"), (12, "features.40"), (13, "classifier.0")):
        seen = {}
        reader = model.get_submodule(name)
        handle = reader.register_forward_hook(lambda _, x, y, seen=seen: seen.update(x=x[0], y=y))
        with torch.no_grad():
            model(images)
        handle.remove()
        inputs, targets = (part.flatten(2) if index < 13 else part[:, :, None] for part in seen.values())
        targets = targets - reader.bias[:, None]
        if index < 13:
            inputs = functional.unfold(seen["x"], 3, padding=1)
        x, y = (part.transpose(1, 2).flatten(0, 1).double() for part in (inputs, targets))
        moments = layer_moments(model, dataset, index, image_count=20)
        assert moments.rows == min(len(x), 16_384)  # of the largest maps, fewer images are used
        x, y = x[: moments.rows], y[: moments.rows]
        torch.testing.assert_close(moments.xx, x.T @ x, rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(moments.xy, x.T @ y, rtol=1e-4, atol=1e-3)


def test_inputs_come_from_the_network_pruned_so_far_and_targets_from_the_original():
    model, dataset = small_vgg(), tiny_dataset()
    once = prune_channels(model, dataset, {3: 2}, image_count=20)
    twice = prune_channels(model, dataset, {3: 2, 4: 3}, image_count=20)
    images = training_images(dataset, 20, 0)
    kept_before = select_channels(
        layer_moments(model, dataset, 4, image_count=20), convolutions(model)[4].weight, 2
    )
    for index, (new, old) in enumerate(zip(norms(once), norms(model), strict=True)):
        rows = kept_before if index == 3 else torch.arange(old.num_features)
        new.running_mean.copy_(old.running_mean[rows])  # as it was while the second layer was fitted
        new.running_var.copy_(old.running_var[rows])
    start = [i for i, module in enumerate(model.features) if isinstance(module, nn.Conv2d)][5]
    with torch.no_grad():
        inputs = once.features[:start](images)
        targets = functional.conv2d(
            model.features[:start](images), convolutions(model)[5].weight, padding=1
        )
    moments = streamed_moments([(inputs, targets)], (3, 3), padding=1)
    kept = select_channels(moments, convolutions(model)[5].weight, 3)
    expected = least_squares(moments, kept).view(5, 3, 3, 3)
    torch.testing.assert_close(convolutions(twice)[5].weight.double(), expected, rtol=1e-3, atol=1e-4)


def test_reconstruction_leaves_outputs_closer_to_the_original_than_slicing_alone():
    model, dataset = small_vgg(), tiny_dataset()
    moments = layer_moments(model, dataset, 6, image_count=64)
    kept = select_channels(moments, convolutions(model)[6].weight, 3)
    reader = nn.Conv2d(5, 4, 3)
    reconstruct(reader, moments, kept)
    assert int((reader.weight.abs().sum((0, 2, 3)) > 0).sum()) == 3
    plain = convolutions(model)[6].weight[:, kept]
    assert relative_error(moments, kept, reader.weight[:, kept]) < relative_error(moments, kept, plain)


@pytest.mark.parametrize(
    ("keep", "complaint"),
    [
        ((4,) * 12, "13 in all, got 12"),
        ({13: 2}, r"no convolution \[13\]"),
        ({2: 0}, "cannot keep 0 of the 6 channels of convolution 2"),
        ({2: 7}, "cannot keep 7 of the 6 channels of convolution 2"),
    ],
)
def test_impossible_numbers_of_channels_are_refused(keep, complaint):
    with pytest.raises(ValueError, match=complaint):
        prune_channels(small_vgg(), tiny_dataset(), keep)
    with pytest.raises(ValueError, match="no layer 14"):
        layer_moments(small_vgg(), tiny_dataset(), 14, image_count=2)


# Batch normalization


def test_batch_norm_is_re_estimated_to_the_average_of_the_batches():
    dataset, model = tiny_dataset(), small_vgg()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    reestimate_batch_norm(model, dataset, image_count=256, seed=3)
    batches = training_images(dataset, 256, 3).split(128)
    seen = [convolutions(model)[0](batch).transpose(0, 1).flatten(1) for batch in batches]
    first = norms(model)[0]
    torch.testing.assert_close(first.running_mean, sum(x.mean(1) for x in seen) / 2, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(first.running_var, sum(x.var(1) for x in seen) / 2, rtol=1e-4, atol=1e-5)
    for key, value in model.state_dict().items():
        changes = "running" in key or "num_batches" in key
        assert torch.equal(value, before[key]) != changes, key
    assert first.momentum == 0.1


@pytest.mark.parametrize("training", [True, False])
def test_re_estimation_leaves_every_module_in_its_mode(training):
    model = small_vgg().train(training)
    model.features[1].train(not training)
    before = [module.training for module in model.modules()]
    reestimate_batch_norm(model, tiny_dataset(), image_count=8)
    assert [module.training for module in model.modules()] == before


def test_test_and_validation_images_are_never_read():
    dataset = tiny_dataset()
    expected = prune_channels(small_vgg(), dataset, KEEP, image_count=20).state_dict()
    dataset.test.images.zero_()
    dataset.validation.images.zero_()
    got = prune_channels(small_vgg(), dataset, KEEP, image_count=20).state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in got.items())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(bad):
    images = torch.ones(1, 1, 2, 2)
    for batch in ((images * bad, images), (images, images * bad)):
        with pytest.raises(ValueError, match="NaN or infinite"):
            streamed_moments([batch], (1, 1))


# --- unusual networks ---------------------------------------------------------------------------


class OwnVGG16(VGG16):
    """A network whose forward pass does more."""

    def forward(self, x):
        return 10 * super().forward(x)


def hooked_vgg():
    model = small_vgg()
    model.classifier.register_forward_hook(lambda _module, _inputs, output: 10 * output)
    return model


def normalized_vgg():
    model = small_vgg()
    nn.utils.parametrizations.weight_norm(model.classifier[3])
    return model


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.DataParallel(small_vgg()), "DataParallel"),
        (lambda: OwnVGG16(10, channels=WIDTHS), "OwnVGG16"),
        (hooked_vgg, r"'classifier' \(Sequential\) has hooks"),
        (normalized_vgg, r"'classifier\.3'"),
        (lambda: quantize_layers(small_vgg(), bits=8), r"'features\.0' \(QuantizedConv2d\)"),
    ],
)
def test_a_network_of_which_something_would_be_lost_is_refused_by_name(build, message):
    model, kept = build(), [torch.arange(count) for count in KEEP]
    dataset = tiny_dataset(train=8)
    for run in (
        lambda: slice_channels(model, kept),
        lambda: prune_channels(model, dataset, KEEP),
        lambda: layer_moments(model, dataset, 0),
    ):
        with pytest.raises(ValueError, match=message):
            run()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_channels_in_half_precision_can_be_sliced_but_not_fitted(dtype):
    model, kept = small_vgg().to(dtype), [torch.arange(count) for count in KEEP]
    assert slice_channels(model, kept).features[0].weight.dtype == dtype
    with pytest.raises(ValueError, match=rf"'features\.0' .*{dtype}"):
        prune_channels(model, tiny_dataset(train=8), KEEP)


def test_dropout_frozen_layers_and_modes_are_those_of_the_larger_network():
    model = small_vgg().train()
    model.features.eval().requires_grad_(False)
    model.classifier[2].p = 0.125
    small = slice_channels(model, [torch.arange(count) for count in KEEP])
    assert [module.training for module in small.modules()] == [
        module.training for module in model.modules()
    ]
    assert [p.requires_grad for p in small.parameters()] == [p.requires_grad for p in model.parameters()]
    assert [small.classifier[2].p, small.classifier[5].p] == [0.125, 0.5]


@pytest.mark.parametrize("build", [nn.BatchNorm1d, nn.BatchNorm3d])
def test_batch_norm_of_other_dimensions_is_re_estimated(build):
    shape = (3, 1024) if build is nn.BatchNorm1d else (3, 4, 16, 16)
    norm = build(3)
    dataset = tiny_dataset(train=32)
    reestimate_batch_norm(nn.Sequential(nn.Flatten(), nn.Unflatten(1, shape), norm, nn.Flatten()), dataset)
    images = training_images(dataset, 32, 0)
    torch.testing.assert_close(norm.running_mean, images.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, images.transpose(0, 1).flatten(1).var(1))

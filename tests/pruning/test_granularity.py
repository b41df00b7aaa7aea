"""Filter and weight masks behind one interface, and SparseConv2d against nn.Conv2d."""

import copy
import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import same_state, tiny_dataset
from torch import nn
from torch.nn.utils import parametrize

from labkit.models import ConvNet
from labkit.pruning.callbacks import PruningCallback
from labkit.pruning.granularity import convolution_masks, convolution_sparsity, filter_mask, granular_mask
from labkit.pruning.magnitude import magnitude_mask
from labkit.pruning.sparse_conv import SparseConv2d, sparse_copy
from labkit.recipes import Recipe
from labkit.recipes.steps import PruneConvolutions
from labkit.training import Callback, TrainConfig, fit

CONVOLUTIONS = [f"features.{index}.weight" for index in (0, 3, 7, 11, 14)]


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")


def convnet(seed=0):
    torch.manual_seed(seed)
    return ConvNet(4)


def images(count=3):
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def sparse_layers(model):
    return [layer for layer in model.modules() if isinstance(layer, SparseConv2d)]


def zero_filters(weight):
    return int((weight.detach().flatten(1) == 0).all(dim=1).sum())


# Masks


@settings(deadline=None, derandomize=True)
@given(count=st.integers(1, 24), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_exactly_the_filters_of_smallest_l1_norm_go_as_wholes(count, share, seed):
    weight = torch.randint(-3, 4, (count, 2, 3), generator=torch.Generator().manual_seed(seed)) / 4
    mask = filter_mask(weight, share)
    assert mask.shape == weight.shape
    assert mask.dtype == torch.bool
    norms = np.abs(weight.numpy()).sum(axis=(1, 2))
    removed = sorted(range(count), key=lambda index: (norms[index], index))[: round(share * count)]
    expected = np.ones(count, bool)
    expected[removed] = False
    np.testing.assert_array_equal(mask.numpy(), np.broadcast_to(expected[:, None, None], mask.shape))


def test_the_norm_is_l1_and_a_filter_of_many_small_weights_stays():
    weight = torch.tensor([[0.4, 0.4, 0.4], [1.0, 0.0, 0.0]])
    assert filter_mask(weight, 0.5)[:, 0].tolist() == [True, False]


def test_both_granularities_have_one_interface():
    weight = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(granular_mask(weight, 0.5, "filters"), filter_mask(weight, 0.5))
    assert torch.equal(granular_mask(weight, 0.5, "weights"), magnitude_mask(weight, 0.5))


def test_only_convolutions_are_pruned_and_half_of_each_layers_filters_are_zero():
    model = convnet()
    masks = convolution_masks(model, 0.5, "filters")
    assert list(masks) == CONVOLUTIONS
    for name, mask in masks.items():
        assert zero_filters(model.get_parameter(name) * mask) == len(mask) // 2


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: filter_mask(torch.ones(4, 2), 1.5), "sparsity"),
        (lambda: filter_mask(torch.ones(4), 0.5), "shape"),
        (lambda: filter_mask(torch.tensor([[float("nan")], [1.0]]), 0.5), "NaN"),
        (lambda: granular_mask(torch.ones(4, 2), 0.5, "rows"), "filters, weights"),
        (lambda: convolution_masks(nn.Linear(2, 2), float("nan"), "filters"), "sparsity"),
        (lambda: PruneConvolutions("filters", amount=0.3, times=4), "at most 1"),
        (lambda: PruneConvolutions("filters", amount=-0.1), "positive"),
        (lambda: PruneConvolutions("filters", every=0), "every"),
    ],
)
def test_bad_input_is_refused(make, word):
    with pytest.raises(ValueError, match=word):
        make()


# The step of a recipe


def rules_of(step):
    recipe = Recipe("r", "", "convnet", None, (step,), TrainConfig(), (10,))
    callback = step.callback(Callback(), recipe, tiny_dataset())
    assert isinstance(callback, PruningCallback)
    return callback


def test_the_step_prunes_ten_per_cent_more_at_epochs_10_to_50():
    callback, model = rules_of(PruneConvolutions("weights")), convnet()
    assert list(callback.prune_at) == [10, 20, 30, 40, 50]
    shares = []
    for epoch in range(55):
        callback.before_epoch(model, epoch)
        shares.append(convolution_sparsity(model))
    expected = [0.1 * min(5, epoch // 10) for epoch in range(55)]
    assert shares == pytest.approx(expected, abs=1e-4)


def test_what_was_pruned_once_stays_pruned_at_the_next_stage():
    callback, model = rules_of(PruneConvolutions("filters", every=1)), convnet()
    callback.before_epoch(model, 1)
    first = {name: model.get_parameter(name) == 0 for name in CONVOLUTIONS}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.01)
    callback.before_epoch(model, 2)
    assert all(bool((model.get_parameter(name) == 0)[zero].all()) for name, zero in first.items())
    assert zero_filters(model.get_parameter("features.11.weight")) == round(0.2 * 128)


# SparseConv2d


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False, "stride": 2, "padding": 1},
        {"groups": 2, "dilation": 2, "padding": "same", "padding_mode": "circular"},
        {"dtype": torch.float64},
    ],
)
def test_with_a_mask_of_ones_it_equals_conv2d_bit_for_bit(options):
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 6, 3, **options)
    sparse = sparse_copy(plain)
    assert type(sparse) is not nn.Conv2d
    assert isinstance(sparse, SparseConv2d)
    x = torch.randn(2, 4, 9, 9, dtype=plain.weight.dtype)
    assert torch.equal(plain(x), sparse(x))
    plain(x).square().sum().backward()
    sparse(x).square().sum().backward()
    assert torch.equal(plain.weight.grad, sparse.parametrizations.weight.original.grad)


def test_a_network_of_sparse_convolutions_trains_bit_for_bit_like_the_ordinary_one():
    plain, config = convnet(), TrainConfig(epochs=1, batch_size=64, peak_lr=0.1)
    sparse = sparse_copy(plain)
    for model in (plain, sparse):
        fit(model, tiny_dataset(), config, progress=False)
    for name in CONVOLUTIONS:
        assert torch.equal(
            plain.get_parameter(name), sparse.get_submodule(name.removesuffix(".weight")).weight
        )


def test_masked_training_equals_setting_pruned_weights_to_zero_after_every_step():
    plain, config = convnet(), TrainConfig(epochs=1, batch_size=64, peak_lr=0.1)
    sparse, masks = sparse_copy(plain), convolution_masks(plain, 0.5, "filters")
    for layer in sparse_layers(sparse):
        layer.prune(0.5, "filters")
    fit(plain, tiny_dataset(), config, callback=PruningCallback({0: lambda _: masks}), progress=False)
    fit(sparse, tiny_dataset(), config, progress=False)
    x = images()
    assert torch.equal(plain.eval()(x), sparse.eval()(x))


def test_masks_survive_a_round_trip_through_the_state_dict():
    model = sparse_copy(convnet())
    for index, layer in enumerate(sparse_layers(model)):
        layer.prune(0.5, "filters" if index % 2 else "weights")
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    other = sparse_copy(convnet(seed=1))
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert same_state(model, other)
    assert torch.equal(model.eval()(images()), other.eval()(images()))
    copied = copy.deepcopy(model)
    assert torch.equal(copied.eval()(images()), model(images()))


def test_pruning_again_keeps_what_is_masked_and_reaches_the_next_share():
    layer = sparse_copy(nn.Conv2d(3, 10, 3))
    layer.prune(0.3, "filters")
    before = layer.mask.clone()
    with torch.no_grad():
        layer.parametrizations.weight.original[~before] = 100.0
    layer.prune(0.5, "filters")
    assert zero_filters(layer.weight) == 5
    assert not bool((layer.mask & ~before).any())


def test_a_masked_weight_gets_no_gradient_even_if_it_is_infinite():
    layer = sparse_copy(nn.Conv2d(3, 2, 1, bias=False))
    layer.prune(0.5, "filters")
    original, gone = layer.parametrizations.weight.original, ~layer.mask
    with torch.no_grad():
        original[gone] = torch.inf
    out = layer(torch.ones(1, 3, 2, 2))
    out.sum().backward()
    assert bool(torch.isfinite(out).all())
    assert not bool(original.grad[gone].any())


def test_a_mask_of_another_shape_or_type_is_refused_and_the_old_one_stays():
    layer = SparseConv2d(3, 4, 3)
    for mask in (torch.ones(4, dtype=torch.bool), torch.ones(4, 3, 3, 3)):
        with pytest.raises(ValueError, match="mask"):
            layer.mask = mask
    assert bool(layer.mask.all())


def test_a_copy_leaves_the_model_the_random_state_and_the_modes_as_they_were():
    model = convnet().eval()
    state = torch.get_rng_state()
    sparse = sparse_copy(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert not sparse_layers(model)
    assert not any(layer.training for layer in sparse.modules())
    assert len(sparse_layers(sparse)) == 5


def test_convolutions_that_compute_something_else_are_refused():
    class Own(nn.Conv2d):
        pass

    normed = parametrize.register_parametrization(nn.Conv2d(1, 1, 1), "weight", nn.Identity())
    shared = nn.Conv2d(1, 1, 1)
    tied = nn.Sequential(shared, nn.Conv2d(1, 1, 1))
    tied[1].weight = shared.weight
    for model, word in ((Own(1, 1, 1), "Own"), (normed, "other tensors"), (tied, "tied")):
        with pytest.raises(ValueError, match=word):
            sparse_copy(model)

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiny import seeded_network
from torch import nn

from labkit.models import ResNet20, prunable_weights
from labkit.pruning.magnitude import (
    apply_masks,
    deviation_mask,
    deviation_masks,
    global_masks,
    layer_masks,
    magnitude_mask,
    nonzero_masks,
    sparsity_by_layer,
    total_sparsity,
)

# Few distinct values, so ties are common; shapes of every rank, including empty ones.
VALUES = st.sampled_from([-3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 1e-30, 3.0])
SHARES = st.floats(0, 1) | st.sampled_from([0.0, 0.2, 0.25, 0.5, 0.8, 1.0])


@st.composite
def weights(draw):
    shape = draw(st.lists(st.integers(0, 4), min_size=0, max_size=4))
    count = math.prod(shape)
    values = draw(st.lists(VALUES, min_size=count, max_size=count))
    return torch.tensor(values).reshape(shape)


def smallest_first(values, count):
    """Find the positions of the ``count`` smallest magnitudes one by one; lowest index first."""
    left = list(range(len(values)))
    chosen = []
    for _ in range(count):
        best = min(left, key=lambda position: (abs(values[position]), position))
        left.remove(best)
        chosen.append(best)
    return set(chosen)


# One weight


@settings(deadline=None, derandomize=True)
@given(weight=weights(), sparsity=SHARES)
@example(weight=torch.zeros(0), sparsity=0.5)
@example(weight=torch.zeros(5), sparsity=0.5)
def test_exactly_the_requested_count_is_removed_smallest_and_then_lowest_index_first(weight, sparsity):
    before = weight.clone()
    mask = magnitude_mask(weight, sparsity)
    removed = smallest_first(weight.flatten().tolist(), round(sparsity * weight.numel()))
    expected = [position not in removed for position in range(weight.numel())]
    assert mask.dtype == torch.bool
    assert mask.shape == weight.shape
    assert mask.flatten().tolist() == expected
    assert torch.equal(weight, before)


def test_sparsity_0_keeps_everything_zeros_included_and_sparsity_1_nothing():
    weight = torch.tensor([[0.0, 1.0], [-2.0, 0.0]])
    assert magnitude_mask(weight, 0).all()
    assert not magnitude_mask(weight, 1).any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_mask_does_not_depend_on_the_weights_type_or_layout(dtype):
    weight = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    expected = magnitude_mask(weight.double(), 0.7)
    assert torch.equal(magnitude_mask(weight.to(dtype), 0.7), expected)
    channels_last = weight.to(dtype).to(memory_format=torch.channels_last)
    assert torch.equal(magnitude_mask(channels_last, 0.7), expected)
    assert torch.equal(magnitude_mask(nn.Parameter(weight.to(dtype)), 0.7), expected)


def test_a_large_weight_with_ties_loses_exactly_its_share():
    weight = torch.randint(-5, 6, (100, 1_000), generator=torch.Generator().manual_seed(0)).float()
    for sparsity in (0.2, 0.333, 0.8, 0.99999):
        assert int((~magnitude_mask(weight, sparsity)).sum()) == round(sparsity * 100_000)


@pytest.mark.parametrize("sparsity", [-0.01, 1.01, 80, math.nan, math.inf])
def test_a_sparsity_outside_0_to_1_is_refused_and_the_message_explains_per_cent(sparsity):
    with pytest.raises(ValueError, match=rf"share in \[0, 1\], got {sparsity}; 80 % is 0\.8"):
        magnitude_mask(torch.ones(3), sparsity)
    with pytest.raises(ValueError, match=r"share in \[0, 1\]"):
        layer_masks(seeded_network(), sparsity)
    with pytest.raises(ValueError, match=r"share in \[0, 1\]"):
        global_masks(seeded_network(), sparsity)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("rule", [magnitude_mask, deviation_mask])
def test_a_weight_that_is_not_finite_is_refused_with_a_count(rule, bad):
    with pytest.raises(ValueError, match="2 of the 4 values of weight"):
        rule(torch.tensor([bad, 1.0, bad, 2.0]), 0.5)


@settings(deadline=None, derandomize=True)
@given(seed=st.integers(0, 1_000), n=st.integers(1, 50), s=st.floats(0, 3))
def test_the_deviation_mask_agrees_with_numpy(seed, n, s):
    weight = np.random.default_rng(seed).normal(0.3, 1.0, n)
    deviation = np.sqrt(np.mean((weight - weight.mean()) ** 2))
    expected = np.abs(weight) > s * deviation
    close = np.isclose(np.abs(weight), s * deviation, rtol=1e-12)
    got = deviation_mask(torch.from_numpy(weight), s).numpy()
    assert np.array_equal(got[~close], expected[~close])


def test_a_deviation_factor_of_0_removes_exact_zeros_only():
    assert deviation_mask(torch.tensor([0.0, -0.0, 1e-30, -2.0]), 0).tolist() == [False, False, True, True]


@pytest.mark.parametrize("s", [0.0, 0.5, 10.0])
def test_a_constant_weight_has_no_deviation_and_is_kept_unless_it_is_zero(s):
    assert deviation_mask(torch.full((4, 4), 0.5), s).all()
    assert deviation_mask(torch.tensor([2.0]), s).all()
    assert not deviation_mask(torch.zeros(4, 4), s).any()


def test_an_empty_weight_has_an_empty_mask():
    assert deviation_mask(torch.zeros(0, 3), 0.5).shape == (0, 3)


@pytest.mark.parametrize("s", [-0.1, math.nan, math.inf])
def test_a_deviation_factor_below_0_or_not_finite_is_refused(s):
    with pytest.raises(ValueError, match=f"number of standard deviations ≥ 0, got {s}"):
        deviation_mask(torch.ones(3), s)


# A model


def test_every_layer_loses_the_same_share_and_batch_norm_and_biases_are_left_out():
    masks = layer_masks(ResNet20(), 0.4)
    assert list(masks) == list(prunable_weights(ResNet20()))
    for mask in masks.values():
        assert int((~mask).sum()) == round(0.4 * mask.numel())


def test_each_layer_has_its_own_deviation():
    model = seeded_network()
    with torch.no_grad():
        model[5].weight.mul_(1_000)
    masks = deviation_masks(model, 1.0)
    for name, weight in prunable_weights(model).items():
        assert torch.equal(masks[name], weight.abs() > weight.std(correction=0))


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 1_000), sparsity=SHARES)
def test_the_global_ranking_removes_the_smallest_weights_of_all_layers_together(seed, sparsity):
    model = nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 4))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in prunable_weights(model).values():
            weight.copy_(torch.randint(-4, 5, weight.shape, generator=generator))  # many ties
    masks = global_masks(model, sparsity)
    joined = [value for weight in prunable_weights(model).values() for value in weight.flatten().tolist()]
    removed = smallest_first(joined, round(sparsity * len(joined)))
    got = [kept for mask in masks.values() for kept in mask.flatten().tolist()]
    assert got == [position not in removed for position in range(len(joined))]
    assert {name: mask.shape for name, mask in masks.items()} == {
        name: weight.shape for name, weight in prunable_weights(model).items()
    }


def test_a_global_ranking_takes_more_from_layers_with_small_weights():
    model = seeded_network()
    with torch.no_grad():
        model[0].weight.mul_(1e-3)
    apply_masks(model, global_masks(model, 0.8))
    shares = sparsity_by_layer(model)
    assert shares["0.weight"] > 0.9
    assert shares["5.weight"] == 0


def test_a_model_without_prunable_weights_has_no_masks_and_no_sparsity():
    model = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())
    for masks in (layer_masks(model, 0.5), global_masks(model, 0.5), deviation_masks(model, 0.5)):
        assert masks == {}
    assert sparsity_by_layer(model) == {}
    assert total_sparsity(model) == 0.0


def test_sparsity_counts_exact_zeros_of_prunable_weights_only():
    model = seeded_network()
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].weight[0, 0, 0, 0] = 1e-30
        model[1].weight.zero_()
        model[5].bias.zero_()
    assert sparsity_by_layer(model) == {"0.weight": 161 / 162, "5.weight": 0.0}
    assert total_sparsity(model) == 161 / 186


def test_an_empty_layer_has_empty_masks_and_no_zeros():
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.Linear(4, 3))
    model[1].weight = nn.Parameter(torch.zeros(0, 4))
    for masks in (layer_masks(model, 0.5), global_masks(model, 0.5), deviation_masks(model, 0.5)):
        apply_masks(model, masks)
        assert masks["1.weight"].shape == (0, 4)
    assert sparsity_by_layer(model)["1.weight"] == 0.0


# Applying masks


def test_masked_weights_become_plus_zero_and_the_others_keep_their_bits():
    model = seeded_network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    masks = layer_masks(model, 0.5)
    apply_masks(model, masks)
    for key, value in model.state_dict().items():
        mask = masks.get(key, torch.ones_like(value, dtype=torch.bool))
        assert torch.equal(value[mask], before[key][mask])
        assert not torch.signbit(value[~mask].float()).any()
        assert (value[~mask] == 0).all()


def test_applying_twice_changes_nothing_and_the_masks_follow_from_the_zeros():
    model = seeded_network()
    masks = layer_masks(model, 0.7)
    apply_masks(model, masks)
    once = {key: value.clone() for key, value in model.state_dict().items()}
    apply_masks(model, masks)
    assert all(torch.equal(model.state_dict()[key], value) for key, value in once.items())
    again = nonzero_masks(model)
    assert again.keys() == masks.keys()
    assert all(torch.equal(again[name], mask) for name, mask in masks.items())


def test_a_mask_also_removes_a_weight_that_is_not_finite():
    model = seeded_network()
    with torch.no_grad():
        model[5].weight.fill_(math.inf)
    apply_masks(model, {"5.weight": torch.zeros(4, 6, dtype=torch.bool)})
    assert (model[5].weight == 0).all()


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({"5.bias": torch.ones(4, dtype=torch.bool)}, r"'5\.bias' .* 0\.weight, 5\.weight"),
        ({"5.weight": torch.ones(6, 4, dtype=torch.bool)}, r"shape \(6, 4\), its weight \(4, 6\)"),
        ({"5.weight": torch.ones(4, 6)}, r"'5\.weight' is torch\.float32, expected torch\.bool"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused_and_no_weight_is_changed(masks, message):
    model = seeded_network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    good = {"0.weight": torch.zeros(6, 3, 3, 3, dtype=torch.bool)}
    with pytest.raises(ValueError, match=message):
        apply_masks(model, good | masks)
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())

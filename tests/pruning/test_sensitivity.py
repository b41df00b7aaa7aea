import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import same_state, tiny_dataset
from torch import nn

from labkit.data import Split
from labkit.models import VGG16, ResNet20, prunable_weights
from labkit.pruning.allocation import SensitivityScan, greedy_sparsities
from labkit.pruning.channels import reestimate_batch_norm
from labkit.pruning.magnitude import apply_masks, magnitude_mask
from labkit.pruning.sensitivity import SPARSITIES, sensitivity_masks, sensitivity_scan
from labkit.training import evaluate

LEVELS = (0.0, 0.3, 0.6, 0.9)


def small_vgg(seed=0, classes=4):
    """Two blocks, a nested classifier, in-place activations; statistics that are not the initial ones."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, stride=2),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(8),
        nn.Flatten(),
        nn.Sequential(nn.Linear(8, 10), nn.ReLU(), nn.Dropout(), nn.Linear(10, classes)),
    )
    for _ in range(3):
        model(torch.randn(16, 3, 32, 32))
    return model


def copy_of(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def naive_scan(model, dataset, split, levels):
    """Prune, run the whole network and restore, for every layer and level."""
    scores = {}
    for name, weight in prunable_weights(model).items():
        original = weight.detach().clone()
        for level in levels:
            apply_masks(model, {name: magnitude_mask(weight, level)})
            scores[name, level] = evaluate(model, dataset, split)
            with torch.no_grad():
                weight.copy_(original)
    return scores


# The scan


@pytest.mark.parametrize("levels", [LEVELS, (0.2, 1.0)])
def test_every_number_is_that_of_the_naive_loop_bit_for_bit(levels):
    model, dataset = small_vgg(), tiny_dataset(held=130)
    naive = naive_scan(model, dataset, dataset.validation, levels)
    scan = sensitivity_scan(model, dataset, dataset.validation, sparsities=levels)
    assert scan.names == tuple(prunable_weights(model))
    assert scan.sparsities == levels
    for i, name in enumerate(scan.names):
        for j, level in enumerate(levels):
            expected = naive[name, level]
            assert (scan.losses[i][j], scan.accuracies[i][j]) == (expected.loss, expected.top1)
    assert len({score.loss for score in naive.values()}) > len(levels)  # the levels differ


@pytest.mark.parametrize("levels", [LEVELS, (0.2, 1.0)])
def test_with_statistics_estimated_again_every_number_is_that_of_the_naive_loop(levels):
    model, dataset = small_vgg().eval(), tiny_dataset(held=130)
    before, naive = copy_of(model), {}
    for name, weight in prunable_weights(model).items():
        for level in levels:
            apply_masks(model, {name: magnitude_mask(weight, level)})
            reestimate_batch_norm(model, dataset, image_count=200)
            naive[name, level] = evaluate(model, dataset, dataset.validation)
            model.load_state_dict(before)
    scan = sensitivity_scan(model, dataset, dataset.validation, sparsities=levels, reestimate_images=200)
    for i, name in enumerate(scan.names):
        assert scan.losses[i] == tuple(naive[name, level].loss for level in levels)
        assert scan.accuracies[i] == tuple(naive[name, level].top1 for level in levels)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    stale = sensitivity_scan(model, dataset, dataset.validation, sparsities=levels)
    assert stale.losses != scan.losses


def test_a_negative_number_of_images_for_the_statistics_is_refused():
    with pytest.raises(ValueError, match="reestimate_images"):
        sensitivity_scan(small_vgg(), tiny_dataset(), tiny_dataset().validation, reestimate_images=-1)


def test_vgg16_is_scanned_through_its_features_and_classifier():
    torch.manual_seed(0)
    model, dataset = VGG16(4, channels=[4] * 13).eval(), tiny_dataset(held=8)
    naive = naive_scan(model, dataset, dataset.validation, (0.5,))
    scan = sensitivity_scan(model, dataset, dataset.validation, sparsities=(0.5,))
    assert scan.names == tuple(prunable_weights(model))
    assert scan.losses == tuple((naive[name, 0.5].loss,) for name in scan.names)


def test_sparsity_0_costs_nothing_and_is_the_model_itself():
    model, dataset = small_vgg(), tiny_dataset()
    whole = evaluate(model, dataset, dataset.validation)
    scan = sensitivity_scan(model, dataset, dataset.validation, sparsities=LEVELS)
    assert {row[0] for row in scan.losses} == {whole.loss}
    assert {row[0] for row in scan.accuracies} == {whole.top1}


def test_an_activation_that_occurs_twice_is_applied_twice():
    torch.manual_seed(0)
    relu, dataset = nn.ReLU(), tiny_dataset()
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 5), relu, nn.Linear(5, 5), relu, nn.Linear(5, 4))
    naive = naive_scan(model, dataset, dataset.validation, (0.5,))
    scan = sensitivity_scan(model, dataset, dataset.validation, sparsities=(0.5,))
    assert scan.losses == tuple((naive[name, 0.5].loss,) for name in scan.names)


def test_a_stage_with_several_layers_is_scanned_layer_by_layer():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 5), nn.Linear(5, 3)

        def forward(self, x):
            return x + self.b(self.a(x))

    torch.manual_seed(0)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), Block(), nn.Linear(3, 4))
    dataset = tiny_dataset()
    naive = naive_scan(model, dataset, dataset.validation, (0.5,))
    scan = sensitivity_scan(model, dataset, dataset.validation, sparsities=(0.5,))
    assert scan.names == ("2.a.weight", "2.b.weight", "3.weight")
    assert scan.losses == tuple((naive[name, 0.5].loss,) for name in scan.names)


@pytest.mark.parametrize("training", [True, False])
def test_weights_statistics_and_mode_are_as_before(training):
    model, dataset = small_vgg().train(training), tiny_dataset()
    before = copy_of(model)
    sensitivity_scan(model, dataset, dataset.validation)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(module.training == training for module in model.modules())


@pytest.mark.parametrize("calls", [0, 1, 3, 6])
def test_an_exception_in_the_middle_leaves_the_weights_and_the_mode_as_they_were(calls):
    class Fuse(nn.Module):
        left = calls

        def forward(self, x):
            self.left -= 1
            if self.left < 0:
                raise RuntimeError("out of memory")
            return x

    model, dataset = small_vgg().train(), tiny_dataset()
    model.append(Fuse())
    before = copy_of(model)
    with pytest.raises(RuntimeError, match="out of memory"):
        sensitivity_scan(model, dataset, dataset.validation, sparsities=(0.5, 0.9))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert model.training


def test_the_prefix_runs_once_and_the_suffix_once_per_level():
    counts = {}

    def counting(key):
        return lambda *_: counts.update({key: counts.get(key, 0) + 1})

    model, dataset = small_vgg(), tiny_dataset()
    layers = [model[0], model[4], model[9][0], model[9][3]]
    for key, layer in enumerate(layers):
        layer.register_forward_hook(counting(key))
    sensitivity_scan(model, dataset, dataset.validation, sparsities=(0.0, 0.5, 0.9))
    # Once unpruned, twice for itself and for each layer before it, once to advance past it.
    assert counts == {key: 1 + 2 * (key + 1) + 1 for key in range(4)}


@pytest.mark.parametrize(
    "levels", [(), (0.5, 0.5), (0.9, 0.1), (-0.1, 0.5), (0.0, 1.1), (0, 80), (math.nan,)]
)
def test_levels_that_do_not_increase_within_0_to_1_are_refused(levels):
    dataset = tiny_dataset()
    with pytest.raises(ValueError, match=r"increasing shares in \[0, 1\], got .*; 80 % is 0\.8"):
        sensitivity_scan(small_vgg(), dataset, dataset.validation, sparsities=levels)


def test_a_model_that_is_not_a_chain_or_has_nothing_to_prune_is_refused():
    dataset, layer = tiny_dataset(), nn.Linear(3, 3)
    with pytest.raises(ValueError, match=r"nn\.Sequential, got ResNet20"):
        sensitivity_scan(ResNet20(), dataset, dataset.validation)
    with pytest.raises(ValueError, match="no convolution or linear layer"):
        sensitivity_scan(nn.Sequential(nn.BatchNorm2d(3)), dataset, dataset.validation)
    with pytest.raises(ValueError, match="applies a layer twice"):
        sensitivity_scan(nn.Sequential(layer, nn.ReLU(), layer), dataset, dataset.validation)


def test_a_weight_that_is_not_finite_is_refused_and_nothing_is_changed():
    model, dataset = small_vgg(), tiny_dataset()
    with torch.no_grad():
        model[4].weight[0, 0, 0, 0] = math.inf
    before = copy_of(model)
    with pytest.raises(ValueError, match="1 of the 432 values"):
        sensitivity_scan(model, dataset, dataset.validation)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


# Allocation


@st.composite
def scans(draw):
    layers, levels = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    sparsities = tuple(sorted({0.0, *draw(st.sets(st.floats(0.05, 1.0), min_size=1, max_size=levels))}))
    losses = st.lists(st.floats(0, 5), min_size=len(sparsities), max_size=len(sparsities))
    rows = tuple(tuple(draw(losses)) for _ in range(layers))
    names = tuple(f"layer{i}.weight" for i in range(layers))
    counts = {name: draw(st.integers(1, 5_000)) for name in names}
    return SensitivityScan(names, sparsities, rows, rows), counts


@settings(deadline=None, derandomize=True)
@given(drawn=scans(), share=st.floats(0, 1))
def test_the_target_is_met_within_the_scanned_levels(drawn, share):
    scan, counts = drawn
    target = share * scan.sparsities[-1]
    chosen = greedy_sparsities(scan, counts, target)
    assert tuple(chosen) == scan.names
    assert all(0 <= sparsity <= scan.sparsities[-1] for sparsity in chosen.values())
    removed = sum(chosen[name] * count for name, count in counts.items())
    assert removed == pytest.approx(target * sum(counts.values()), abs=2e-3)
    between = [name for name, sparsity in chosen.items() if sparsity not in scan.sparsities]
    assert len(between) <= 1  # only the last step is shortened


@settings(deadline=None, derandomize=True)
@given(drawn=scans(), shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_higher_target_lowers_no_layer(drawn, shares):
    scan, counts = drawn
    low, high = (greedy_sparsities(scan, counts, s * scan.sparsities[-1]) for s in sorted(shares))
    assert all(low[name] <= high[name] + 1e-9 for name in low)


def test_with_convex_losses_no_other_allocation_costs_less():
    levels = (0.0, 0.25, 0.5, 0.75, 1.0)
    rows = tuple(tuple(a * level**2 for level in levels) for a in (0.1, 1.0, 3.0))
    scan = SensitivityScan(("a", "b", "c"), levels, rows, rows)
    counts = {"a": 100, "b": 200, "c": 100}
    position = {level: i for i, level in enumerate(levels)}
    costs = {}  # the least loss for each number of weights removed, by trying all
    for choice in itertools.product(levels, repeat=3):
        removed = sum(counts[name] * s for name, s in zip(scan.names, choice, strict=True))
        loss = sum(row[position[s]] for row, s in zip(rows, choice, strict=True))
        costs[removed] = min(loss, costs.get(removed, math.inf))
    compared = 0
    for removed, least in costs.items():
        chosen = greedy_sparsities(scan, counts, removed / 400)
        if all(s in position for s in chosen.values()):
            compared += 1
            got = sum(row[position[chosen[name]]] for name, row in zip(scan.names, rows, strict=True))
            assert got == pytest.approx(least)
    assert compared >= 8


def test_the_price_is_per_weight_removed_so_large_layers_give_more_for_the_same_loss():
    rows = ((0.1, 0.2, 0.3), (0.1, 0.2, 0.3))
    scan = SensitivityScan(("small", "large"), (0.0, 0.4, 0.8), rows, rows)
    assert greedy_sparsities(scan, {"small": 10, "large": 1_000}, 0.7) == {
        "small": 0.0,
        "large": pytest.approx(0.707),
    }


def test_a_hump_in_the_curve_is_skipped():
    rows = ((0.1, 0.9, 0.12), (0.1, 0.3, 0.5))
    scan = SensitivityScan(("hump", "slope"), (0.0, 0.4, 0.8), rows, rows)
    assert greedy_sparsities(scan, {"hump": 100, "slope": 100}, 0.4) == {"hump": 0.8, "slope": 0.0}


def test_of_equal_prices_the_first_layer_is_raised():
    rows = ((0.1, 0.2), (0.1, 0.2))
    scan = SensitivityScan(("a", "b"), (0.0, 0.5), rows, rows)
    assert greedy_sparsities(scan, {"b": 10, "a": 10}, 0.25) == {"a": 0.5, "b": 0.0}


SCAN = SensitivityScan(("a", "b"), (0.0, 0.5), ((90, 80),) * 2, ((0.1, 0.2),) * 2)


@pytest.mark.parametrize(
    ("scan", "counts", "target", "message"),
    [
        (SCAN, {"a": 1, "b": 1}, 0.6, r"target .* \[0, 0\.5\].* got 0\.6"),
        (SCAN, {"a": 1, "b": 1}, -0.1, r"target .* \[0, 0\.5\]"),
        (SCAN, {"a": 1, "b": 1}, math.nan, r"target .* \[0, 0\.5\]"),
        (SCAN, {"a": 1}, 0.3, r"weight_counts .*\['a'\].*\['a', 'b'\]"),
        (SCAN, {"a": 1, "b": 0}, 0.3, "weight_counts"),
        (SensitivityScan(("a",), (0.1, 0.5), ((9, 9),), ((1, 1),)), {"a": 1}, 0.3, "sparsity 0"),
        (SensitivityScan(("a",), (0.0,), ((9,),), ((1,),)), {"a": 1}, 0.0, "sparsity 0"),
        (SensitivityScan(("a",), (0.0, 0.5), ((9, 9),), ((1, math.nan),)), {"a": 1}, 0.3, "not finite"),
    ],
)
def test_a_scan_a_count_or_a_target_that_does_not_fit_is_refused(scan, counts, target, message):
    with pytest.raises(ValueError, match=message):
        greedy_sparsities(scan, counts, target)


# Masks


@pytest.mark.parametrize("target", [0.0, 0.5, 0.9, 0.99])
def test_the_masks_remove_the_target_to_half_a_weight_per_layer_and_change_nothing(target):
    model, dataset = small_vgg(), tiny_dataset()
    before = copy_of(model)
    masks = sensitivity_masks(model, target, dataset)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    removed = sum(int((~mask).sum()) for mask in masks.values())
    total = sum(mask.numel() for mask in masks.values())
    assert abs(removed - target * total) <= len(masks) / 2 + 1e-3
    apply_masks(model, masks)  # they fit
    assert tuple(masks) == tuple(prunable_weights(model))


def test_the_masks_are_those_of_scan_choice_and_magnitude_on_the_first_validation_images():
    model, dataset = small_vgg(), tiny_dataset()
    held = Split(*(part[:24] for part in dataset.validation))
    scan = sensitivity_scan(model, dataset, held, sparsities=SPARSITIES)
    weights = prunable_weights(model)
    chosen = greedy_sparsities(scan, {name: w.numel() for name, w in weights.items()}, 0.7)
    masks = sensitivity_masks(model, 0.7, dataset, image_count=24)
    assert all(
        torch.equal(mask, magnitude_mask(weights[name], chosen[name])) for name, mask in masks.items()
    )
    assert len(set(chosen.values())) > 1


def test_test_images_are_not_used():
    dataset, other = tiny_dataset(), tiny_dataset(seed=1)
    mixed = type(dataset)(**{**vars(dataset), "test": other.test})
    model = small_vgg()
    first, second = (sensitivity_masks(model, 0.8, data) for data in (dataset, mixed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert same_state(model, small_vgg())


@pytest.mark.parametrize("target", [-0.1, 0.995, 90, math.nan])
def test_a_target_outside_the_scanned_levels_is_refused_before_the_scan(target):
    with pytest.raises(ValueError, match=rf"share in \[0, 0\.99\], got {target}; 90 % is 0\.9"):
        sensitivity_masks(small_vgg(), target, tiny_dataset())


def test_a_scan_of_no_images_is_refused():
    with pytest.raises(ValueError, match=r"image_count .* got 0"):
        sensitivity_masks(small_vgg(), 0.5, tiny_dataset(), image_count=0)

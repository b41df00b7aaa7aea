import copy
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import same_state, seeded_network, tiny_dataset
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from labkit.data.augment import normalize
from labkit.models import prunable_weights, total_sparsity
from labkit.pruning import saliency
from labkit.pruning.callbacks import StagedPruning
from labkit.pruning.magnitude import apply_masks, nonzero_masks
from labkit.training import TrainConfig, fit


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")


def network(activation=nn.Tanh, *, dropout=0.0, seed=0):
    """A network in float64 with every kind of layer of VGG16; 2·27 + 2·8·3 + 3·3 prunable weights."""
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 2, 3, padding=1), nn.BatchNorm2d(2), activation(), nn.MaxPool2d(2), nn.Flatten()]
    layers += [nn.Linear(8, 3), activation(), nn.Dropout(dropout), nn.Linear(3, 3)]
    return nn.Sequential(*layers).double()


def batches(*sizes, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(size, 3, 4, 4, generator=generator, dtype=torch.float64),
            torch.randint(3, (size,), generator=generator),
        )
        for size in sizes
    ]


def loss_of_weights(model, data, temperature):
    """Return the loss as a function of all prunable weights in one vector, and that vector."""
    weights = {name: weight.detach() for name, weight in prunable_weights(model).items()}
    model = copy.deepcopy(model).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    total = sum(len(labels) for _, labels in data)

    def loss(vector):
        parts = vector.split([weight.numel() for weight in weights.values()])
        parameters = {
            name: part.view(weights[name].shape) for name, part in zip(weights, parts, strict=True)
        }
        sums = [
            functional.cross_entropy(
                functional_call(model, parameters, (images,)) / temperature, labels, reduction="sum"
            )
            for images, labels in data
        ]
        return torch.stack(sums).sum() / total

    return loss, torch.cat([weight.flatten() for weight in weights.values()])


def joined(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors.values()])


def full_hessian_product(model, data, temperature):
    """Compute Hg from every entry of the Hessian."""
    loss, vector = loss_of_weights(model, data, temperature)
    gradient = torch.autograd.functional.jacobian(loss, vector)
    return torch.autograd.functional.hessian(loss, vector) @ gradient, gradient


# The Hessian times the gradient, and GraSP


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU])
@pytest.mark.parametrize("temperature", [1.0, 200.0])
@pytest.mark.parametrize("sizes", [(12,), (7, 4), (5, 5, 2)])
def test_grasp_scores_equal_those_of_the_full_hessian(activation, temperature, sizes):
    model, data = network(activation), batches(*sizes)
    expected, _ = full_hessian_product(model, data, temperature)
    weights = joined(prunable_weights(model)).detach()
    product = joined(saliency.hessian_gradient_product(model, data, temperature=temperature))
    scores = joined(saliency.grasp_scores(model, data, temperature=temperature))
    assert expected.abs().max() > 0
    # Scores scale with 1 / T², so the tolerance does too: 1e-8 of the largest.
    assert (product - expected).abs().max() < 1e-8 * expected.abs().max()
    assert (scores + weights * expected).abs().max() < 1e-8 * (weights * expected).abs().max()
    assert (scores + weights * expected).abs().max() < 1e-8


def test_the_gradient_is_summed_over_all_batches_before_the_second_pass():
    model, data = network(), batches(6, 6)
    together = joined(saliency.hessian_gradient_product(model, data))
    apart = [joined(saliency.hessian_gradient_product(model, [batch])) for batch in data]
    expected, _ = full_hessian_product(model, data, 200.0)
    assert torch.allclose(together, expected, rtol=1e-8, atol=0)
    assert not torch.allclose(sum(apart) / 2, expected, rtol=0.05, atol=0)


def test_a_score_is_the_change_of_the_squared_gradient_as_its_weight_shrinks():
    model, data = network(), batches(9)
    scores = joined(saliency.grasp_scores(model, data, temperature=1.0))
    loss, vector = loss_of_weights(model, data, 1.0)

    def half_norm(weights):
        weights = weights.clone().requires_grad_()
        return torch.autograd.grad(loss(weights), weights)[0].square().sum().item() / 2

    epsilon = 1e-5
    for index in range(0, len(vector), 7):
        step = torch.zeros_like(vector)
        step[index] = -epsilon * vector[index]  # removed to the share ε
        change = (half_norm(vector + step) - half_norm(vector - step)) / (2 * epsilon)
        assert change == pytest.approx(scores[index].item(), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("score", [saliency.grasp_scores, saliency.snip_scores])
def test_scoring_leaves_the_model_unchanged(score, training):
    model = network(dropout=0.5).train(training)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    before, data = copy.deepcopy(model), batches(5, 4)
    scores = score(model, data)
    assert same_state(model, before)  # the running statistics of batch normalization included
    assert model[1].num_batches_tracked == 0
    assert all(module.training is training for module in model.modules())
    assert all((parameter.grad == 7.0).all() for parameter in model.parameters())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert list(scores) == list(prunable_weights(model))
    assert not any(tensor.requires_grad for tensor in scores.values())


@pytest.mark.parametrize("score", [saliency.grasp_scores, saliency.snip_scores])
def test_dropout_takes_no_part_and_the_mode_makes_no_difference(score):
    with_dropout, data = network(dropout=0.9), batches(6)
    expected = joined(score(network(), data))
    assert torch.equal(joined(score(with_dropout.train(), data)), expected)
    assert torch.equal(joined(score(with_dropout.eval(), data)), expected)


@pytest.mark.parametrize("score", [saliency.hessian_gradient_product, saliency.snip_scores])
def test_no_batches_are_refused(score):
    with pytest.raises(ValueError, match="no calibration batches"):
        score(network(), [])


# SNIP


@pytest.mark.parametrize("sizes", [(10,), (6, 3)])
def test_snip_scores_are_the_sensitivity_to_each_connection(sizes):
    model, data = network(), batches(*sizes)
    loss, vector = loss_of_weights(model, data, 1.0)
    connections = torch.ones_like(vector)  # c of Lee et al., equation 4: the loss at c ⊙ θ
    sensitivity = torch.autograd.functional.jacobian(lambda c: loss(c * vector), connections).abs()
    scores = joined(saliency.snip_scores(model, data))
    assert torch.allclose(scores, sensitivity / sensitivity.sum(), rtol=1e-10, atol=1e-14)
    assert scores.sum().item() == pytest.approx(1.0)


def test_a_network_of_zeros_has_snip_scores_of_zero():
    model = network()
    apply_masks(model, {name: weight < -9e9 for name, weight in prunable_weights(model).items()})
    assert (joined(saliency.snip_scores(model, batches(4))) == 0).all()


# Masks


@settings(deadline=None, derandomize=True)
@given(
    values=st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 3.0]), min_size=1, max_size=40),
    first=st.floats(0, 1),
    second=st.floats(0, 1),
)
def test_two_prunings_remove_exact_counts_lowest_first_and_revive_nothing(values, first, second):
    importance = {"a": torch.tensor(values), "b": torch.tensor([[0.5, -1.0], [0.0, 3.0]])}
    kept = {name: torch.ones_like(value, dtype=torch.bool) for name, value in importance.items()}
    ranked = joined(importance).tolist()
    removed = []
    for sparsity in (first, second):
        count = round(sparsity * len(ranked))
        left = [index for index in range(len(ranked)) if index not in removed]
        left.sort(key=lambda index: (ranked[index], index))
        removed += left[: max(0, count - len(removed))]
        kept = saliency.saliency_masks(importance, sparsity, kept)
        assert [index for index, keep in enumerate(joined(kept).tolist()) if not keep] == sorted(removed)
    assert {name: mask.shape for name, mask in kept.items()} == {"a": (len(values),), "b": (2, 2)}


def test_infinite_importances_rank_but_never_revive():
    importance = {"w": torch.tensor([math.inf, -math.inf, 1.0, math.inf])}
    kept = {"w": torch.tensor([False, True, True, True])}
    masks = saliency.saliency_masks(importance, 0.5, kept)
    assert masks["w"].tolist() == [False, False, True, True]
    assert kept["w"].tolist() == [False, True, True, True]


@pytest.mark.parametrize("rule", ["grasp", "snip", "magnitude", "random"])
def test_a_rule_never_revives_a_weight_although_its_score_is_zero(rule):
    model, data = network(), batches(8)
    apply_masks(model, saliency.random_masks(model, 0.3))
    before = nonzero_masks(model)
    gone = ~joined(before)
    if rule == "grasp":
        scores = joined(saliency.grasp_scores(model, data))
        assert (scores[gone] == 0).all()
        assert (
            scores[~gone] > 0
        ).float().mean() > 0.3  # ranked by score alone, removed weights would return
    masks = saliency.masks_by_rule(model, 0.5, rule, data)
    assert not (joined(masks) & gone).any()
    assert int((~joined(masks)).sum()) == round(0.5 * gone.numel())


def test_grasp_removes_the_highest_scores_and_snip_the_lowest():
    model, data = network(), batches(8)
    grasp, snip = joined(saliency.grasp_scores(model, data)), joined(saliency.snip_scores(model, data))
    by_grasp = joined(saliency.masks_by_rule(model, 0.4, "grasp", data))
    by_snip = joined(saliency.masks_by_rule(model, 0.4, "snip", data))
    assert grasp[~by_grasp].min() >= grasp[by_grasp].max()
    assert snip[~by_snip].max() <= snip[by_snip].min()


def test_calibration_is_measured_with_the_statistics_of_its_batches():
    model, data = network(), batches(8)
    clone = copy.deepcopy(model).train()
    loss, hits, total = 0.0, 0, 0
    for images, labels in data:
        logits = clone(images).detach()
        loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
        hits, total = hits + int((logits.argmax(1) == labels).sum()), total + len(labels)
    before = copy.deepcopy(model.state_dict())
    assert saliency.calibration_result(model, data) == pytest.approx((loss / total, 100 * hits / total))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("staged_before", [False, True])
def test_random_with_grasps_shares_keeps_as_many_of_each_layer_at_other_places(staged_before):
    model, data = network(), batches(8)
    if staged_before:
        apply_masks(model, saliency.masks_by_rule(model, 0.3, "grasp", data))
    gone = {name: weight == 0 for name, weight in prunable_weights(model).items()}
    grasp = saliency.masks_by_rule(model, 0.6, "grasp", data)
    first, second = (saliency.masks_by_rule(model, 0.6, "grasp-shares", data, seed=seed) for seed in (0, 1))
    for name, mask in grasp.items():
        assert int(first[name].sum()) == int(second[name].sum()) == int(mask.sum())
        assert not (first[name] & gone[name]).any()
    assert not torch.equal(joined(first), joined(grasp))
    assert not torch.equal(joined(first), joined(second))


def test_random_masks_take_the_same_share_of_every_layer_and_depend_on_the_seed():
    model = nn.Sequential(nn.Linear(100, 100), nn.Linear(200, 100))
    masks = [saliency.random_masks(model, 0.7, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(joined(masks[0]), joined(masks[1]))
    assert not torch.equal(joined(masks[0]), joined(masks[2]))
    for mask in masks[0].values():  # standard deviations: 0.005 and 0.003
        assert (~mask).float().mean().item() == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize("sparsity", [-0.1, 1.1, 90, math.nan])
def test_a_sparsity_outside_0_to_1_is_refused(sparsity):
    with pytest.raises(ValueError, match=rf"sparsity .* \[0, 1\], got {sparsity}"):
        saliency.saliency_masks({"w": torch.ones(3)}, sparsity, {"w": torch.ones(3, dtype=torch.bool)})


def test_importances_that_are_nan_or_of_other_weights_are_refused():
    kept = {"w": torch.ones(3, dtype=torch.bool)}
    with pytest.raises(ValueError, match="1 of 3 importances are NaN"):
        saliency.saliency_masks({"w": torch.tensor([1.0, math.nan, 2.0])}, 0.5, kept)
    with pytest.raises(ValueError, match="weights v, but kept has w"):
        saliency.saliency_masks({"v": torch.ones(3)}, 0.5, kept)


# Calibration batches


def rows_of(dataset, split, data):
    """Return for each image of the batches its index in ``split``; None if it is not in there."""
    rows = {image.numpy().tobytes(): row for row, image in enumerate(_normalized(dataset, split))}
    return [rows.get(image.numpy().tobytes()) for images, _ in data for image in images]


def _normalized(dataset, split):
    return normalize(split.images, dataset.mean, dataset.std)


def test_calibration_batches_hold_n_training_images_per_class_once_each_with_their_labels():
    dataset = tiny_dataset()
    data = saliency.calibration_batches(dataset, images_per_class=7, batch_size=10)
    assert [len(labels) for _, labels in data] == [10, 10, 8]
    labels = torch.cat([labels for _, labels in data])
    assert labels.bincount().tolist() == [7, 7, 7, 7]
    rows = rows_of(dataset, dataset.train, data)
    assert None not in rows
    assert len(set(rows)) == 28
    assert torch.equal(dataset.train.labels[rows], labels)
    assert set(rows_of(dataset, dataset.validation, data)) == {None}
    assert set(rows_of(dataset, dataset.test, data)) == {None}


def test_classes_come_in_a_random_order_that_the_seed_decides():
    dataset = tiny_dataset()
    orders = [
        torch.cat([labels for _, labels in saliency.calibration_batches(dataset, seed=seed)]).tolist()
        for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    for order in orders:
        changes = sum(a != b for a, b in itertools.pairwise(order))
        assert changes > 20  # sorted by class there would be 3 in 40 images
    images = [
        rows_of(dataset, dataset.train, saliency.calibration_batches(dataset, seed=s)) for s in (0, 1)
    ]
    assert set(images[0]) != set(images[1])


def test_a_class_with_too_few_images_is_named():
    dataset = tiny_dataset(train=20)
    with pytest.raises(ValueError, match="class0 has 5 training images"):
        saliency.calibration_batches(dataset, images_per_class=6)


# Staged pruning

STAGES = ((0.45, 0.675, 0.9), (20.0, 40.0, 60.0))


def staged(rule=None, window=5):
    return StagedPruning(rule or saliency.random_masks, *STAGES, window=window)


def play(callback, model, hits, *, images=10):
    """Simulate training steps in which ``hits[i]`` images are right; return the sparsities."""
    sparsities = []
    for hit in hits:
        labels = torch.zeros(images, dtype=torch.long)
        logits = torch.zeros(images, 2)
        logits[:hit, 0], logits[hit:, 1] = 1.0, 1.0
        loss = callback.loss(torch.zeros(images), logits, labels)
        assert torch.equal(loss, functional.cross_entropy(logits, labels))
        with torch.no_grad():
            for weight in prunable_weights(model).values():
                weight += 0.125  # what an optimizer does, pruned weights included
        callback.after_step(model)
        sparsities.append(round(total_sparsity(model), 3))
    return sparsities


def linear_model():
    model = nn.Sequential(nn.Linear(40, 50, bias=False))
    nn.init.uniform_(model[0].weight, 1.0, 2.0)
    return model


def test_each_stage_waits_for_a_full_window_of_its_accuracy():
    model, callback = linear_model(), staged()
    callback.before_epoch(model, 0)
    assert play(callback, model, [1, 1, 3, 3, 1]) == [0.0] * 5  # a mean of 18 %
    assert play(callback, model, [2]) == [0.45]  # 3 + 3 + 1 + 2 + 1 of 50: 20 %
    assert play(callback, model, [10] * 4) == [0.45] * 4  # 100 %, but the window is not full
    assert play(callback, model, [10]) == [0.675]
    assert play(callback, model, [10] * 5) == [0.675] * 4 + [0.9]
    assert play(callback, model, [10] * 12) == [0.9] * 12


def test_falling_accuracy_revives_nothing():
    model, callback = linear_model(), staged()
    callback.before_epoch(model, 0)
    assert play(callback, model, [5] * 5)[-1] == 0.45
    zeros = model[0].weight == 0
    assert play(callback, model, [0] * 20) == [0.45] * 20
    assert play(callback, model, [5] * 5)[-1] == 0.675
    assert bool((model[0].weight == 0)[zeros].all())
    assert play(callback, model, [5] * 20) == [0.675] * 20


def test_the_rule_gets_the_model_with_its_zeros_and_each_stages_sparsity():
    seen = []

    def rule(model, sparsity):
        seen.append((sparsity, round(total_sparsity(model), 3)))
        return saliency.random_masks(model, sparsity)

    model, callback = linear_model(), staged(rule)
    callback.before_epoch(model, 0)
    play(callback, model, [10] * 20)
    assert seen == [(0.45, 0.0), (0.675, 0.45), (0.9, 0.675)]


def test_what_the_optimizer_did_to_pruned_weights_brings_none_of_them_back():
    """A rule that ranks by magnitude sees pruned weights at 0, and not where momentum took them."""

    def largest(model, sparsity):
        return saliency.masks_by_rule(model, sparsity, "magnitude", [])

    model, callback = linear_model(), staged(largest)
    callback.before_epoch(model, 0)
    play(callback, model, [10] * 5)
    zeros = model[0].weight == 0
    with torch.no_grad():
        model[0].weight += 3.0 * zeros  # a long way: now the largest of all
    play(callback, model, [10] * 5)
    assert callback.stage == 2
    assert bool((model[0].weight == 0)[zeros].all())


def test_a_stage_at_accuracy_0_starts_before_the_first_step():
    model = linear_model()
    callback = StagedPruning(saliency.random_masks, (0.3, 0.6), (0.0, 50.0), window=2)
    callback.before_epoch(model, 0)
    assert total_sparsity(model) == pytest.approx(0.3)
    assert play(callback, model, [4] * 4) == [0.3] * 4
    assert play(callback, model, [5] * 2) == [0.3, 0.6]


def test_stages_that_never_come_start_when_the_lead_is_over():
    model = linear_model()
    callback = StagedPruning(
        saliency.random_masks, *STAGES, lead_rate=0.1, lead_epochs=2, measure=lambda _: (1.0, 2.0)
    )
    rates = []
    for epoch in range(3):
        callback.before_epoch(model, epoch)
        rates.append(callback.constant_rate())
        play(callback, model, [0] * 30)
    assert rates == [0.1, 0.1, None]
    assert [cut.sparsity for cut in callback.cuts()] == pytest.approx([0.45, 0.675, 0.9])


def test_loss_and_accuracy_before_and_after_each_cut_are_recorded_in_its_epoch():
    model, data = network(), batches(8)
    callback = StagedPruning(
        lambda net, sparsity: saliency.masks_by_rule(net, sparsity, "grasp", data),
        (0.5,),
        (0.0,),
        measure=lambda net: saliency.calibration_result(net, data),
    )
    before = saliency.calibration_result(model, data)
    callback.before_epoch(model, 0)
    (cut,) = callback.cuts()
    assert (cut.loss_before, cut.accuracy_before) == before
    assert (cut.loss_after, cut.accuracy_after) == saliency.calibration_result(model, data)
    assert cut.loss_after != cut.loss_before
    callback.before_epoch(model, 1)
    assert callback.cuts() == ()


def test_an_interrupted_run_goes_on_at_its_stage():
    model, callback = linear_model(), staged()
    callback.before_epoch(model, 0)
    play(callback, model, [10] * 10)
    zeros = model[0].weight == 0
    resumed = staged()
    resumed.before_epoch(model, 3)
    assert resumed.stage == 2
    assert play(resumed, model, [5] * 6) == [0.675] * 6  # the third stage needs 60 %
    assert play(resumed, model, [6] * 5)[-1] == 0.9
    assert bool((model[0].weight == 0)[zeros].all())


def test_a_window_does_not_reach_across_epochs():
    model, callback = linear_model(), staged()
    callback.before_epoch(model, 0)
    play(callback, model, [10] * 4)
    callback.before_epoch(model, 1)
    assert play(callback, model, [10] * 5) == [0.0] * 4 + [0.45]


@pytest.mark.parametrize(
    ("sparsities", "accuracies"),
    [((0.5, 0.9), (20.0,)), ((0.9, 0.5), (20.0, 40.0)), ((0.5, 0.5), (20.0, 40.0))],
)
def test_stages_that_do_not_match_or_do_not_rise_are_refused(sparsities, accuracies):
    with pytest.raises(ValueError, match="must rise"):
        StagedPruning(saliency.random_masks, sparsities, accuracies)


def test_training_with_grasp_in_stages_ends_at_the_target():
    dataset, model = tiny_dataset(), seeded_network()
    data = saliency.calibration_batches(dataset, images_per_class=4)
    rule = StagedPruning(
        lambda net, sparsity: saliency.masks_by_rule(net, sparsity, "grasp", data), *STAGES, window=2
    )
    config = TrainConfig(epochs=6, batch_size=32, peak_lr=0.1)
    records = fit(model, dataset, config, callback=rule, progress=False)
    shares = [record.sparsity for record in records]
    weights = 3 * 6 * 9 + 6 * 4
    assert shares == sorted(shares)
    assert round(shares[-1] * weights) == round(0.9 * weights)
    assert total_sparsity(model) == shares[-1]


# --- unusual networks ---------------------------------------------------------------------------


class ByMode(nn.Module):
    """Dropout without a layer, as many networks write it."""

    def forward(self, x):
        return functional.dropout(x, 0.5, training=self.training)


@pytest.mark.parametrize("scores", [saliency.snip_scores, saliency.grasp_scores])
@pytest.mark.parametrize(
    "dropout", [nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout, ByMode]
)
def test_no_kind_of_dropout_changes_scores_or_the_global_generator(scores, dropout):
    plain, model, data = network(), network(), batches(8)
    plain.insert(3, nn.Identity())
    model.insert(3, dropout())  # after the convolution
    state = torch.get_rng_state()
    scored, expected = scores(model.train(), data), scores(plain, data)
    assert torch.equal(torch.get_rng_state(), state)
    assert scored.keys() == expected.keys()
    assert all(torch.equal(scored[name], expected[name]) for name in expected)


@pytest.mark.parametrize("scores", [saliency.snip_scores, saliency.grasp_scores])
def test_a_frozen_layer_is_scored_like_any_other_and_stays_frozen(scores):
    model, data = network(), batches(8)
    expected = scores(model, data)
    model[0].requires_grad_(False)
    scored = scores(model, data)
    assert all(torch.equal(scored[name], expected[name]) for name in expected)
    assert not model[0].weight.requires_grad
    scored = scores(model.requires_grad_(False), data)
    assert all(torch.equal(scored[name], expected[name]) for name in expected)


class WithoutLast(nn.Sequential):
    """Layers one after another, of which the last is never called."""

    def forward(self, x):
        for layer in list(self)[:-1]:
            x = layer(x)
        return x


def test_an_unused_layer_has_the_gradient_0_and_changes_no_other_score():
    plain, data = network(), batches(8)
    expected = saliency.snip_scores(plain, data), saliency.hessian_gradient_product(plain, data)
    model = WithoutLast(*plain, nn.Linear(5, 5).double())
    scored = saliency.snip_scores(model, data), saliency.hessian_gradient_product(model, data)
    for scores, right in zip(scored, expected, strict=True):
        assert not scores.pop("9.weight").any()
        assert all(torch.equal(scores[name], right[name]) for name in right)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scores", [saliency.snip_scores, saliency.grasp_scores])
def test_half_precision_is_scored_in_single(scores, dtype):
    model, data = network().to(dtype), batches(8)
    scored, expected = scores(model, data), scores(copy.deepcopy(model).float(), data)
    assert all(torch.equal(scored[name], expected[name]) for name in expected)
    assert model[0].weight.dtype == dtype


def test_a_tied_weight_has_the_sum_of_both_gradients_once():
    model, data = (
        nn.Sequential(nn.Flatten(), nn.Linear(48, 3), nn.Linear(3, 3), nn.Linear(3, 3)).double(),
        batches(8),
    )
    model[3].weight = model[2].weight
    scored = saliency.snip_scores(model, data)
    assert list(scored) == ["1.weight", "2.weight"]
    functional.cross_entropy(model(data[0][0]), data[0][1]).backward()
    right = [(layer.weight * layer.weight.grad).abs().detach() for layer in (model[1], model[2])]
    for scores, exact in zip(scored.values(), right, strict=True):
        torch.testing.assert_close(scores, exact / sum(part.sum() for part in right))

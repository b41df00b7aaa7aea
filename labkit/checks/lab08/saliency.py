"""Visible checks 08.1 to 08.6: Hessian-gradient product, scores, staged masks, random controls.

The oracles are the full Hessian of a tiny network (oracle), the definition of connection sensitivity,
and sorting in plain Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from labkit.checks.expect import Case, Expect
from labkit.checks.lab08.oracle import (
    as_layers,
    full_hessian_product,
    join,
    loss_of_weights,
    tiny_batches,
    tiny_network,
    weights_of,
)

__all__ = [
    "grasp_scores",
    "hessian_gradient_product",
    "same_counts_at_random",
    "snip_scores",
    "stage_sparsities",
    "staged_masks",
]

Answer = Callable[..., Any]
Numbers = Mapping[str, Sequence[float]]

PRODUCT = "Hg is the gradient of (∇L · g) with g held fixed, for a loss that sums over images"
SUMMED = "first sum g over all batches, then start the second pass over each batch"
DIVIDE = "divide the logits by the temperature, then take the cross-entropy"
IMAGES = "the loss is a sum over images, so every image counts the same in batches of any size"
NAMES = "the weights of convolutions and linear layers, by name; no biases"
TIDY = "torch.autograd.grad returns gradients; backward() leaves them behind in .grad"
SCORE = "−θ ⊙ Hg, sign included: removing a weight changes it by −θ"
HIGHEST = "remove the highest scores of all layers together, until round(sparsity · N) of all N are removed"
NEVER = "a removed weight stays removed, whatever it scores: 0 is in the middle of signed scores"
STAGES = "half, three quarters and all of the target, from 20, 40 and 60 % accuracy on"
SNIP = "|θ ⊙ g|, divided by its sum over the whole network"
TINY = "tiny gradients rank too: add nothing to the sum"
COUNTS = "of each layer as many as the masks keep, no more and no fewer"
ALLOWED = "choose only among the places that are True in allowed: a removed weight stays removed"
SEEDED = "draw with torch.Generator().manual_seed(seed): one seed gives one result, another seed another"
UNIFORM = "every allowed place has the same chance, whatever the mask kept there"
COPY = "leave the arguments as they are and return something new"


def hessian_gradient_product(expect: Expect, answer: Answer) -> None:
    """08.1: compare with the full Hessian of a network of 60 weights."""
    for seed, (sizes, temperature, activation, why) in enumerate(
        (
            ((6,), (1.0,), nn.Tanh(), PRODUCT),
            ((6,), (2.0,), nn.Tanh(), DIVIDE),
            ((4, 4), (1.0,), nn.Tanh(), SUMMED),
            ((5, 3, 1), (3.0,), nn.ReLU(), IMAGES),
            ((5, 3, 1), (), nn.Tanh(), "T is 200 where none is given"),
        )
    ):
        model, batches = tiny_network(activation), tiny_batches(sizes, seed)
        named = f"T = {temperature[0]:g}" if temperature else "no temperature given"
        before = {name: part.clone() for name, part in model.state_dict().items()}
        expected = full_hessian_product(model, batches, *(temperature or (200.0,)))
        scale = max(float(part.abs().max()) for part in expected.values())
        case = expect.given(f"batches of {sizes} images, {named}, {activation} (Hg ÷ {scale:.3g})")
        got = case.call(answer, model, batches, *temperature, hint=PRODUCT)
        _same_form(case, got, expected, NAMES)
        got = {name: part.detach() / scale for name, part in got.items()}
        _compare(case, got, {name: part / scale for name, part in expected.items()}, why)
        _unchanged(case, model.state_dict(), before)
        clean = all(parameter.grad is None for parameter in model.parameters())
        case.true(clean, expected="no .grad", got="a .grad", hint=TIDY)


def grasp_scores(expect: Expect, answer: Answer) -> None:
    """08.2: the scores are −θ ⊙ Hg."""
    nothing = "a weight of 0 scores 0: there is nothing to remove"
    for weights, product, expected, why in (
        ([2.0, -3.0], [0.5, 0.25], [-1.0, 0.75], SCORE),
        ([2.0, -3.0, 1.0, -1.0], [-4.0, 0.0, 1.0, -0.5], [8.0, 0.0, -1.0, -0.5], SCORE),
        ([0.0, 5.0], [7.0, 1.0], [0.0, -5.0], nothing),
    ):
        case = expect.given(f"weights = {weights}, product = {product}, in two layers")
        theta, hg, target = (
            dict(zip("ab", _halves(row), strict=True)) for row in (weights, product, expected)
        )
        parameters = {name: nn.Parameter(part.clone()) for name, part in theta.items()}
        slopes = {name: part.clone() for name, part in hg.items()}
        got = case.call(answer, parameters, slopes, hint=SCORE)
        _compare(case, got, target, why)
        free = not any(tensor.requires_grad for tensor in got.values())
        case.true(free, expected="no gradient attached", got=got, hint="detach the weights")
        _unchanged(case, parameters, theta)
        _unchanged(case, slopes, hg)


def staged_masks(expect: Expect, answer: Answer) -> None:
    """08.3: exact counts over all layers, highest scores first; a removed weight stays removed."""
    tie = "of equal scores the lowest index goes first, earlier layers before later ones"
    two: Numbers = {"a": [0.3, -2.0, 1.5, 0.0], "b": [2.5, -0.1]}
    for scores, removed, sparsity, why in (
        (two, [], 0.5, HIGHEST),
        (two, [], 0.0, "at sparsity 0 everything stays"),
        (two, [], 1.0, "at sparsity 1 nothing stays"),
        ({"a": [0.0, -2.0, 1.5, 0.4], "b": [0.0, -0.1]}, [0, 4], 0.5, NEVER),
        ({"a": [-9.0, -2.0, 0.4, 1.5], "b": [-8.0, -0.1]}, [0, 4], 0.5, NEVER),
        (
            {"a": [9.0, -2.0, 1.5, 0.4], "b": [8.0, -0.1]},
            [0, 4],
            0.5,
            "weights removed before already count",
        ),
        (two, [1, 3, 5], 0.3, "if more than that are removed already, the masks stay as they are"),
        ({"a": [1.0] * 5, "b": [1.0, 2.0, 1.0]}, [2], 0.5, tie),
        ({"a": [0.5] * 300, "b": [0.5] * 200}, [7], 0.41, tie),
        ({"a": [-1.0, -3.0, -2.0]}, [], 1 / 3, "all scores may be negative: the highest still goes"),
    ):
        flat = [value for layer in scores.values() for value in layer]
        shown = flat if len(flat) < 20 else f"{len(flat)} times {flat[0]}"
        case = expect.given(f"scores = {shown}, sparsity = {sparsity:g}, removed before: {removed}")
        before = _split(scores, [index not in removed for index in range(len(flat))])
        tensors = {name: torch.tensor(layer).view(-1, 1) for name, layer in scores.items()}
        copies = [{name: part.clone() for name, part in parts.items()} for parts in (tensors, before)]
        got = case.call(answer, tensors, before, sparsity, hint=HIGHEST)
        _compare(case, got, _split(scores, _kept(flat, removed, sparsity)), why)
        for now, old in zip((tensors, before), copies, strict=True):
            _unchanged(case, now, old)


def stage_sparsities(expect: Expect, answer: Answer) -> None:
    """08.4: the sparsity after each measurement."""
    once = "at most one stage per measurement: measure what a stage did before the next"
    back = "accuracy falls after pruning; what is pruned stays pruned"
    for accuracies, target, expected, why in (
        ([10.0, 25.0, 45.0, 65.0, 70.0], 0.8, [0.0, 0.4, 0.6, 0.8, 0.8], STAGES),
        ([20.0, 40.0, 60.0], 0.9, [0.45, 0.675, 0.9], "a stage starts at its accuracy, not above it"),
        ([19.9, 19.9], 0.9, [0.0, 0.0], "below 20 % nothing is pruned"),
        ([30.0, 12.0, 35.0, 41.0, 8.0], 0.8, [0.4, 0.4, 0.4, 0.6, 0.6], back),
        ([95.0, 95.0, 95.0, 95.0], 0.8, [0.4, 0.6, 0.8, 0.8], once),
        ([95.0, 10.0, 95.0], 1.0, [0.5, 0.5, 0.75], once),
        ([21.0, 30.0, 61.0, 30.0, 59.0], 0.4, [0.2, 0.2, 0.3, 0.3, 0.3], STAGES),
        ([], 0.9, [], "without a measurement there is nothing to return"),
        ([80.0, 80.0], 0.0, [0.0, 0.0], "a target of 0 prunes nothing"),
    ):
        case = expect.given(f"accuracies = {accuracies}, target = {target:g}")
        got = case.call(answer, list(accuracies), target, hint=STAGES)
        case.close(got, expected, hint=why)


def snip_scores(expect: Expect, answer: Answer) -> None:
    """08.5: compare with the derivative with respect to each connection's mask, and edge cases."""
    model, batches = tiny_network(nn.Tanh()), tiny_batches((7,))
    weights = weights_of(model)
    loss = loss_of_weights(model, batches, 1.0)
    gradient = torch.autograd.functional.jacobian(loss, join(weights))
    switch = torch.autograd.functional.jacobian(lambda c: loss(c * join(weights)), torch.ones(60).double())
    cases: list[tuple[dict[str, Tensor], dict[str, Tensor], Tensor, str]] = []
    for values, slopes, expected, why in (
        ([2.0, -1.0, 0.0, 1.0], [1.0, 1.0, 5.0, -1.0], [0.5, 0.25, 0.0, 0.25], SNIP),
        ([1.0, 1.0, 4.0, 0.5], [1e-30, 3e-30, 5e-31, 4e-30], [0.125, 0.375, 0.25, 0.25], TINY),
        ([0.0, 0.0], [1.0, 2.0], [0.0, 0.0], "where every product is 0 all scores are 0, not NaN"),
    ):
        theta, slope = (dict(zip("ab", _halves(row), strict=True)) for row in (values, slopes))
        cases.append((theta, slope, torch.tensor(expected).double(), why))
    relative = switch.abs() / switch.abs().sum()
    cases.append((weights, as_layers(weights, gradient), relative, SNIP))
    for theta, slope, target, why in cases:
        case = expect.given(
            "a network of 60 weights" if len(target) > 8 else f"weights = {theta}, gradients = {slope}"
        )
        parameters = {name: nn.Parameter(part.clone()) for name, part in theta.items()}
        got = case.call(answer, parameters, slope, hint=SNIP)
        _compare(case, got, as_layers(theta, target), why)
        _unchanged(case, parameters, theta)


def same_counts_at_random(expect: Expect, answer: Answer) -> None:
    """08.6: exact counts within what is allowed, reproducible, and uniform over 300 seeds."""
    for counts, allowed, why in (
        ({"a": [1, 1, 0, 0, 0, 0], "b": [1, 0, 0, 0]}, [], COUNTS),
        ({"a": [0, 0, 0, 1, 1, 1], "b": [0, 0, 0, 0]}, [], "a layer may keep nothing"),
        ({"a": [1, 1, 1, 1, 1, 1], "b": [0, 1, 1, 1]}, [], "a layer may keep everything"),
        ({"a": [0, 1, 0, 1, 0, 0], "b": [0, 0, 0, 1]}, [0, 4, 5, 7], ALLOWED),
        ({"a": [1, 1, 0, 0, 0, 1], "b": [1, 0, 0, 0]}, [2, 3, 4, 7, 8, 9], ALLOWED),
    ):
        masks = {name: torch.tensor(layer).bool().view(-1, 1) for name, layer in counts.items()}
        free = _split(counts, [index not in allowed for index in range(10)])
        case = expect.given(f"masks = {counts}, not allowed: {allowed}")
        copies = [{name: part.clone() for name, part in parts.items()} for parts in (masks, free)]
        state = torch.random.get_rng_state()
        drawn = [case.call(answer, masks, free, seed, hint=SEEDED) for seed in (0, 0)]
        tidy = torch.equal(state, torch.random.get_rng_state())
        for got in drawn:
            _same_form(case, got, masks, "one bool tensor per layer, of its shape")
        kept = {name: int(part.sum()) for name, part in drawn[0].items()}
        target = {name: int(part.sum()) for name, part in masks.items()}
        case.true(kept == target, expected=str(target), got=kept, hint=why)
        inside = all(not bool((drawn[0][name] & ~part).any()) for name, part in free.items())
        case.true(inside, expected="only allowed places", got="others, too", hint=ALLOWED)
        same = all(torch.equal(drawn[0][name], drawn[1][name]) for name in masks)
        case.true(same, expected="the same masks again for seed 0", got="other masks", hint=SEEDED)
        case.true(tidy, expected="torch's global generator as it was", got="another state", hint=SEEDED)
        for now, old in zip((masks, free), copies, strict=True):
            _unchanged(case, now, old)
    masks = {"a": torch.tensor([[True, True, False], [False, False, False]])}
    free = {"a": torch.tensor([[True, False, True], [True, True, True]])}
    case = expect.given("300 seeds, 2 of 6 weights kept, the second not allowed")
    total = torch.zeros(2, 3)
    for seed in range(300):
        total += case.call(answer, masks, free, seed, hint=SEEDED)["a"]
    often = [int(count) for count in total.flatten()]
    even = all(85 < count < 155 for count in (*often[:1], *often[2:]))  # expected 120, deviation 8.5
    case.true(even, expected="about 120 times each of the others", got=often, hint=UNIFORM)


def _split(layers: Numbers, kept: Sequence[bool]) -> dict[str, Tensor]:
    """Split one flat list of bools into column masks, layer by layer."""
    parts = torch.tensor(kept, dtype=torch.bool).split([len(layer) for layer in layers.values()])
    return {name: part.view(-1, 1) for name, part in zip(layers, parts, strict=True)}


def _kept(flat: Sequence[float], removed: Sequence[int], sparsity: float) -> list[bool]:
    """Return the mask by its definition: sort the weights that are left and remove the first."""
    left = [index for index in range(len(flat)) if index not in removed]
    left.sort(key=lambda index: (-flat[index], index))
    more = max(0, round(sparsity * len(flat)) - len(removed))
    gone = {*removed, *left[:more]}
    return [index not in gone for index in range(len(flat))]


def _same_form(case: Case, got: Any, expected: Mapping[str, Tensor], hint: str) -> None:
    """Check that ``got`` has the names and shapes of ``expected``, and that masks are bool."""
    right = [(name, tuple(part.shape), part.dtype == torch.bool) for name, part in expected.items()]
    form: Any = type(got).__name__
    if isinstance(got, Mapping) and all(isinstance(part, Tensor) for part in got.values()):
        form = [(name, tuple(part.shape), part.dtype == torch.bool) for name, part in got.items()]
    text = "a dict with " + ", ".join(f"{name!r} of shape {shape}" for name, shape, _ in right)
    case.true(form == right, expected=text, got=form, hint=hint)


def _compare(case: Case, got: Any, expected: Mapping[str, Tensor], hint: str) -> None:
    """Check names, then shapes, then values."""
    _same_form(case, got, expected, "one tensor per layer, of its shape; masks are bool")
    for name, part in expected.items():
        case.given(f"{name!r}, {case}").close(got[name], part, hint=hint, atol=1e-8)


def _unchanged(case: Case, now: Mapping[str, Tensor], before: Mapping[str, Tensor]) -> None:
    """Check that the answer did not write into its arguments."""
    same = all(torch.equal(now[name], part) for name, part in before.items())
    case.true(same, expected="arguments unchanged", got="changes", hint=COPY)


def _halves(row: Sequence[float]) -> Tensor:
    """Return a list of numbers as two rows, one per layer."""
    return torch.tensor(row).double().view(2, -1)

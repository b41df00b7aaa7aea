"""Visible checks of lab 02: masks, sparsity, the hook that keeps zeros, schedules, retraining.

Expected values come from sorting with plain Python and NumPy, or from properties that every
correct answer has.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from labkit.checks.expect import Expect

__all__ = ["CASES"]

Answer = Callable[..., Any]
Optimizers = Callable[[list[Tensor]], torch.optim.Optimizer]

STATEMENTS = (
    "l1_with_sgd_gives_exact_zeros",
    "unstructured_sparsity_speeds_up_a_gpu",
    "pruned_training_is_faster_on_a_gpu",
    "l1_empties_filters_as_group_lasso",
    "pruning_after_quantization_can_cost_more",
    "pruning_and_quantization_are_orthogonal",
    "binary_networks_spare_first_and_last_layer",
)
SIGN = "it is the magnitude |w| that counts, not the sign"
NONE, ALL = "at q = 0 everything is kept", "at q = 100 nothing is kept"
TIES = "several weights share the magnitude at the cut: exactly k go in all, of equal ones the lowest index first"
HOOK = "momentum moves a weight whose gradient is 0: set the weight itself back, in place, after each step"
PAIR = "return by_layer, total: a dict and a number, both in per cent"
HALF = torch.arange(8).view(2, 4) % 2 == 0
OTHER_HALF = torch.arange(8).view(2, 4) // 2 % 2 == 1


def magnitude_mask(expect: Expect, answer: Answer) -> None:
    """02.1: exactly the k weights of least magnitude are removed, lowest index first."""
    hint = "remove the k = round(q / 100 · n) least |w|; True means kept"
    for values, q, why in (
        ([0.5, -0.1, 2.0, -3.0, 0.3], 40, hint),
        ([-5.0, 1.0, -2.0, 4.0, 3.0], 40, SIGN),
        ([2.0, -1.0, 1.0, 1.0, -1.0, 3.0], 33, TIES),
        ([0.5, -0.1, 2.0, -3.0, 0.3], 0, NONE),
        ([0.5, -0.1, 2.0], 100, ALL),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 25, "25 % of 7 is 1.75: round it, do not cut it off"),
        ([5.0, 1.0, 3.0, 2.0, 4.0], 50, "50 % of 5 is 2.5: Python's round takes the even neighbour, 2"),
        ([0.7] * 300, 41, TIES),
        (np.tile([1.0, -1.0, 2.0, 0.0], 250), 62.5, TIES),
    ):
        case = expect.given(f"q = {q} %, weight = {_brief(values)}")
        weight = torch.tensor(values, dtype=torch.float32)
        mask = case.call(answer, weight, q, hint=hint)
        case.equal(mask, _least_removed(values, q), hint=why)
    _mask_form(expect, torch.arange(-9.0, 15.0).view(2, 3, 2, 2), lambda weight: answer(weight, 75))


def deviation_mask(expect: Expect, answer: Answer) -> None:
    """02.2: a weight is kept where |w| exceeds s population standard deviations."""
    hint = "keep where |w| > s · σ; σ is the standard deviation of the layer's weights, signs included"
    for values, s, why in (
        ([0.2, -0.4, 2.0, -3.0, 0.1, 1.2], 1.0, hint),
        ([0.3, -1.1, 0.7, -3.0, 0.1, 2.2], 0.5, hint),
        ([1.0, -1.0, 1.0, -1.0], 1.0, "a weight exactly at the threshold does not exceed it"),
        ([1.1, -1.1, 0.98, -0.98], 1.0, "divide by n, not by n − 1: the population standard deviation"),
        ([3.0, 5.0, 3.0, 5.0], 2.0, "σ is measured around the mean: not the root of the mean square"),
        ([10.0, 10.1, 9.9, 10.0], 1.0, "compare |w| itself with s · σ, not its distance from the mean"),
        ([0.0, 0.5, -0.5, 0.0], 0.0, "at s = 0 the threshold is 0: only exact zeros are removed"),
        ([0.5, 0.5, 0.5], 2.0, "equal weights have σ = 0, so nothing is removed"),
    ):
        case, array = expect.given(f"s = {s}, weight = {values}"), np.asarray(values)
        mask = case.call(answer, torch.tensor(values), s, hint=hint)
        sigma = np.sqrt(np.mean((array - array.mean()) ** 2))
        case.equal(mask, np.abs(array) > s * sigma, hint=why)
    _mask_form(expect, torch.arange(-9.0, 15.0).view(2, 3, 2, 2), lambda weight: answer(weight, 0.5))


def sparsity(expect: Expect, answer: Answer) -> None:
    """02.3: the zeros in per cent, by layer and in total."""
    conv, norm, linear, last = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(8, 1), nn.Linear(1, 4)
    model = nn.Sequential(nn.Sequential(conv, norm, nn.Flatten(), linear), nn.ReLU(), last)
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    parts = {conv.weight: 9, conv.bias: 2, norm.weight: 2, linear.weight: 2, linear.bias: 1}
    for part, zeros in parts.items():
        nn.init.zeros_(part.data.view(-1)[:zeros])  # type: ignore[union-attr]
    case = expect.given(
        "conv '0.0' (9 of 18 weights are 0), batch norm (2 of 2), linear '0.3' (2 of 8), linear '2' (0 of 4)"
    )
    got = case.call(answer, model, hint=PAIR)
    case.true(isinstance(got, tuple) and len(got) == 2, expected="(dict, number)", got=got, hint=PAIR)
    names = "convolutions and linear layers only, nested ones too, named as by model.named_modules()"
    case.keys(got[0], ["0.0", "0.3", "2"], hint=names)
    values = [got[0][name] for name in ("0.0", "0.3", "2")]
    why = "the zeros among each layer's weights, in per cent; biases do not count"
    case.close(values, [50, 25, 0], hint=why, atol=1e-4)
    why = "all zeros over all weights: a large layer counts for more than a small one"
    case.close(got[1], 100 * 11 / 30, hint=why, atol=1e-4)
    model = copy.deepcopy(model)
    model[2].weight.data = torch.tensor([[1e-30], [-0.0], [-1e-8], [0.0]])
    case = expect.given("linear '2' set to (1e-30, −0.0, −1e-8, 0.0)")
    by_layer, total = case.call(answer, model, hint=PAIR)
    why = "count exact zeros (−0.0 is one) and nothing else: a tiny weight still has to be stored"
    case.close([by_layer["2"], total], [50, 100 * 13 / 30], hint=why, atol=1e-4)


def keep_zeros(expect: Expect, answer: Answer) -> None:
    """02.4: pruned weights stay at zero in any optimizer; the others train as they do without the hook."""
    for name, make, kept in (
        ("SGD, momentum 0.9, weight decay 0.1", _sgd, HALF),
        ("Adam, weight decay 0.1", _adam, OTHER_HALF),
    ):
        case = expect.given(f"{name}: 3 steps, half of the weights pruned, hook registered, 4 steps")
        plain = _train(make, lambda *_: None, kept)
        hooked = case.call(_train, make, answer, kept, hint=HOOK)
        pruned = hooked["a"][~kept]
        case.true(
            bool((pruned == 0).all()), expected="every pruned weight exactly 0", got=pruned, hint=HOOK
        )
        why = "weights that are kept must train as if there were no hook"
        case.close(hooked["a"][kept], plain["a"][kept], hint=why, atol=1e-6)
        why = "a weight without a mask must train as if there were no hook"
        case.close(hooked["b"], plain["b"], hint=why, atol=1e-6)
    case = expect.given("hook registered, handle.remove() called, 4 steps")
    why = "return what register_step_post_hook gives, and change weights only inside the hook"
    freed = case.call(_train, _adam, answer, HALF, True, hint=why)
    moved = bool((freed["a"][~HALF] != 0).all())
    case.true(moved, expected="pruned weights that move again", got=freed["a"][~HALF], hint=why)


def sparsity_schedule(expect: Expect, answer: Answer) -> None:
    """02.5: the sparsity that each epoch trains at."""
    hint = "epoch 0 already trains at `step`; each epoch adds `step` per cent of all weights"
    flat = "after ramp_epochs epochs the sparsity stays where it is"
    for inputs, expected, why in (
        ((10.0, 3, 3), [10.0, 20.0, 30.0], hint),
        ((10.0, 3, 5), [10.0, 20.0, 30.0, 30.0, 30.0], flat),
        ((8.0, 10, 20), [8.0 * min(n, 10) for n in range(1, 21)], flat),
        ((24.0, 4, 4), [24.0, 48.0, 72.0, 96.0], "the ramp's last epoch reaches ramp_epochs · step"),
        ((5.0, 6, 3), [5.0, 10.0, 15.0], "one entry per epoch, even if training ends before the ramp"),
        ((80.0, 1, 3), [80.0, 80.0, 80.0], "one-shot pruning is a ramp of a single epoch"),
    ):
        case = expect.given("step = {} %, ramp_epochs = {}, epochs = {}".format(*inputs))
        got = case.call(answer, *inputs, hint=hint)
        case.close(got, expected, hint=why)


def global_masks(expect: Expect, answer: Answer) -> None:
    """02.6: one ranking covers all layers."""
    hint = "rank the weights of all layers together; a layer loses as many as are among the smallest"
    large, small = [3.0, -4.0, 5.0, 0.1], [0.2, -0.3, 0.25, 6.0, 0.15, -0.05]
    tiny = [value / 100 for value in small]
    for layers, q, why in (
        ({"large": large, "small": small}, 50, hint),
        ({"large": large, "small": tiny}, 30, "do not rescale a layer by its own size"),
        ({"large": large, "small": small}, 0, NONE),
        ({"large": large, "small": small}, 100, ALL),
        ({"a": [-3.0, 2.0], "b": [1.0, -4.0, 5.0]}, 40, SIGN),
        (
            {"a": [1.0, 2.0, -1.0], "b": [1.0] * 200, "c": [-1.0]},
            45,
            f"{TIES}, and earlier layers before later ones",
        ),
    ):
        case = expect.given(
            f"q = {q} %, weights = " + ", ".join(f"{name}: {_brief(w)}" for name, w in layers.items())
        )
        weights = {name: torch.tensor(values) for name, values in layers.items()}
        masks = case.call(answer, weights, q, hint=hint)
        case.keys(masks, list(layers))
        got = np.concatenate([np.asarray(masks[name]).ravel() for name in layers])
        joined = [value for layer in layers.values() for value in layer]
        case.equal(got, _least_removed(joined, q), hint=why)
    other = {"linear": torch.ones(2, 3)}
    for weight in (torch.arange(-12.0, 12.0).view(2, 3, 2, 2), torch.ones(3, 2)):
        _mask_form(expect, weight, lambda parameter: answer({"layer": parameter} | other, 25)["layer"])


def finetune_after_prune(expect: Expect, answer: Answer) -> None:
    """02.8: one epoch of ordinary steps, after each of which the pruned weights are zero again."""
    model, batches = _small_network(), _small_batches(3)
    mask = torch.arange(12).view(3, 4) % 3 != 0
    why = {
        "weight": "per batch: forward, cross-entropy, erase old gradients, backward, step, then set what "
        "the mask removes to 0",
        "loss": "return the mean of the batches' losses, each measured before its step, as a number",
    }
    every_second = torch.arange(12).view(3, 4) % 2 == 0
    for start, kept, text in (
        (0, mask, "4 of 12 weights pruned"),
        (1, every_second, "6 of 12 weights pruned"),
        (2, torch.ones(3, 4, dtype=torch.bool), "masks = {}: nothing pruned"),
    ):
        case = expect.given(f"a linear classifier, SGD with momentum 0.9, 3 batches of 5 images, {text}")
        batches, masks = _small_batches(3, start), {"1.weight": kept} if not kept.all() else {}
        network, optimizer = _with_momentum(model, batches)
        before = network.get_parameter("1.weight").detach().clone()
        velocity = optimizer.state[network.get_parameter("1.weight")]["momentum_buffer"].numpy().copy()
        network.get_parameter("1.weight").data[~kept] = before[~kept] = 0.0
        weight, loss = _train_by_hand(before.numpy(), velocity, batches, kept.numpy())
        got = case.call(answer, network, list(batches), optimizer, dict(masks), hint=why["weight"])
        pruned = network.get_parameter("1.weight").detach()[~kept]
        case.true(bool((pruned == 0).all()), expected="pruned weights exactly 0", got=pruned, hint=HOOK)
        case.close(network.get_parameter("1.weight"), weight, hint=why["weight"], atol=1e-6)
        case.close(got, loss, hint=why["loss"], atol=1e-6)
    case = expect.given(
        "a network in evaluation mode with batch normalization, 2 batches that a generator yields"
    )
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3)).eval()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    case.call(answer, network, iter(batches[:2]), optimizer, {}, hint=why["weight"])
    got = int(network.get_buffer("2.num_batches_tracked"))
    hint = "call model.train() first: batch normalization must use the statistics of the batch"
    case.true(got == 2, expected="running statistics updated by 2 batches", got=f"{got} batches", hint=hint)
    hint = "the pruned weights must be back at zero before the next batch arrives"
    network, optimizer = _with_momentum(model, batches)
    network.get_parameter("1.weight").data[~mask] = 0.0
    case = expect.given("what the pruned weights are when each of 3 batches is fetched")
    seen: list[Tensor] = []
    watched = _watched(batches, network, seen)
    case.call(answer, network, watched, optimizer, {"1.weight": mask}, hint=hint)
    nonzero = sum(int((weight[~mask] != 0).sum()) for weight in seen)
    case.true(nonzero == 0, expected="0 of them nonzero", got=f"{nonzero} nonzero", hint=hint)


def concept_answers(expect: Expect, answer: Answer) -> None:
    """02.7: each statement has the answer True or False; grading tells whether it is right."""
    expect.verdicts(answer, STATEMENTS)


def _brief(values: Any) -> str:
    """Format a list for a message, cut after eight entries."""
    texts = [f"{value:g}" for value in values[:8]]
    return f"[{', '.join(texts)}{f', … {len(values)} in all' if len(values) > 8 else ''}]"


def _least_removed(values: Any, q: float) -> np.ndarray:
    """Return the mask by its definition: sort (magnitude, index) pairs and remove the first k."""
    ranked = sorted(range(len(values)), key=lambda index: (abs(values[index]), index))
    kept = np.ones(len(values), bool)
    kept[ranked[: round(q / 100 * len(values))]] = False
    return kept


def _mask_form(expect: Expect, weight: Tensor, answer: Answer) -> None:
    """Check that the mask is bool and has the weight's shape, and that the weight stays unchanged."""
    case = expect.given(f"a parameter of shape {tuple(weight.shape)} that requires a gradient")
    parameter = nn.Parameter(weight.clone())
    mask = case.call(answer, parameter, hint="shape the mask like its weight")
    form = (tuple(mask.shape), mask.dtype) if isinstance(mask, Tensor) else type(mask).__name__
    right, why = (tuple(weight.shape), torch.bool), "shape the mask like its weight; comparisons give bool"
    case.true(form == right, expected="a bool tensor of that shape", got=form, hint=why)
    unchanged, why = torch.equal(parameter.data, weight), "return a mask; do not write into the weight"
    case.true(unchanged, expected="the weight unchanged", got=parameter.data, hint=why)


def _sgd(parameters: list[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, 0.1, 0.9, weight_decay=0.1)


def _adam(parameters: list[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, 0.1, weight_decay=0.1)


def _train(make: Optimizers, hook: Answer, kept: Tensor, remove: bool = False) -> dict[str, Tensor]:
    """Take three steps, keep only ``kept`` of ``a``, register ``hook`` (and remove it again), take four more steps.

    The loss is a sum over single weights, so a pruned weight cannot influence the others.
    """
    weights = {"a": nn.Parameter(torch.linspace(-1, 1, 8).view(2, 4)), "b": nn.Parameter(torch.ones(3))}
    optimizer = make(list(weights.values()))
    for step in range(7):
        if step == 3:
            weights["a"].data[~kept] = 0.0
            handle = hook(optimizer, dict(weights), {"a": kept.clone()})
            if remove:
                handle.remove()
        optimizer.zero_grad()
        torch.stack([((weight - 2) ** 2).sum() for weight in weights.values()]).sum().backward()
        optimizer.step()
    return {name: weight.detach() for name, weight in weights.items()}


def _small_network() -> nn.Sequential:
    """Return a linear classifier of 4 inputs and 3 classes with fixed weights."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False))
    model.get_parameter("1.weight").data = torch.linspace(-1, 1, 12).view(3, 4)
    return model


def _small_batches(count: int, start: int = 0) -> list[tuple[Tensor, Tensor]]:
    """Return batches of 5 inputs ``(5, 1, 2, 2)`` and their labels; ``start`` gives others."""
    inputs = torch.sin(torch.arange(count * 20.0) + start).view(count, 5, 1, 2, 2)
    return [(inputs[index], (torch.arange(5) + index) % 3) for index in range(count)]


def _with_momentum(
    model: nn.Sequential, batches: list[tuple[Tensor, Tensor]]
) -> tuple[nn.Sequential, torch.optim.SGD]:
    """Return a copy of the model and an optimizer that has taken one step, and so has velocities."""
    network = copy.deepcopy(model)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5, momentum=0.9)
    inputs, labels = batches[-1]
    nn.functional.cross_entropy(network(inputs), labels).backward()
    optimizer.step()
    return network, optimizer


def _train_by_hand(
    weight: np.ndarray, velocity: np.ndarray, batches: list[tuple[Tensor, Tensor]], kept: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the weight and the mean loss of SGD (rate 0.5, momentum 0.9) on a linear softmax classifier."""
    losses = []
    for inputs, labels in batches:
        x, target = inputs.flatten(1).double().numpy(), np.eye(3)[labels.numpy()]
        scores = np.exp(x @ weight.T)
        shares = scores / scores.sum(axis=1, keepdims=True)
        losses.append(-np.mean(np.log((shares * target).sum(axis=1))))
        velocity = 0.9 * velocity + (shares - target).T @ x / len(x)
        weight = (weight - 0.5 * velocity) * kept
    return weight, float(np.mean(losses))


def _watched(
    batches: list[tuple[Tensor, Tensor]], network: nn.Sequential, seen: list[Tensor]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches; before each, note a copy of the weight that the network has then."""
    for batch in batches:
        seen.append(network.get_parameter("1.weight").detach().clone())
        yield batch


RANKING = (
    "A threshold keeps or removes all weights of equal magnitude together, so it cannot remove exactly k. "
    "Rank the weights instead: `argsort` of the magnitudes gives positions, and `stable=True` leaves equal "
    "ones in the order of their index. The first k positions are those to remove."
)
HINTS = {
    "02.1": RANKING,
    "02.8": "The loop of every PyTorch tutorial has five lines per batch: outputs, loss, "
    "`optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`. Add a sixth that writes zeros, under "
    "`torch.no_grad()`, with `weight.masked_fill_(~mask, 0.0)`; `models.prunable_weights(model)` gives the "
    "weights by name.",
    "02.6": f"{RANKING} One ranking covers all layers: `torch.cat` joins their flattened magnitudes, "
    "`split` cuts the joined mask into layers again.",
}
CASES: dict[str, Callable[..., None]] = {
    "02.1": magnitude_mask,
    "02.2": deviation_mask,
    "02.3": sparsity,
    "02.4": keep_zeros,
    "02.5": sparsity_schedule,
    "02.6": global_masks,
    "02.7": concept_answers,
    "02.8": finetune_after_prune,
}

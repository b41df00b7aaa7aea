"""09.6 and 09.7: cutting a chain of blocks, and choosing how many channels each keeps.

The oracles are networks of full size whose removed channels are zero, and the best of all choices, which
small networks allow to try.
"""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from labkit.checks.expect import Case, Expect

__all__ = ["choose_counts", "cut_layer_by_layer"]

Answer = Callable[..., Any]
Blocks = list[nn.Sequential]

CASCADE = "the inputs of a layer come from the network cut so far, also after earlier layers were refitted"
TARGET = "the target is what the layer gives in the original network, on the original's own inputs"
KEPT = "refit sees the kept channels of the inputs only, and the layer that was cut to them"
WHOLE = "every block but the last loses channels; the next block's first layer gets the refitted weight"
UNTOUCHED = "cut copies: leave blocks and images as they are"
BUDGET = "macs(counts) must not exceed the budget"
LEVELS = "one entry per layer, and each must be a number that its table lists"
SHARE = 1.25  # of the smallest sum, on average


def cut_layer_by_layer(expect: Expect, answer: Answer) -> None:
    """09.6: compare what choose and refit are given, and the network's output, with masked networks."""
    # subtle: equally many blocks each time, so an answer that kept those of an earlier call is noticed.
    for widths, counts, bias in (
        ([5, 4, 3], [3, 2], True),
        ([6, 4, 5], [2, 3], True),
        ([3, 4, 2], [3, 1], False),
    ):
        blocks, images = _chain(widths, bias=bias)
        case = expect.given(f"{len(widths)} blocks of {widths} channels, counts {counts}")
        arguments = copy.deepcopy(blocks), images.clone()
        calls: list[tuple[str, Tensor, Tensor]] = []
        got = case.call(
            answer, *arguments, list(counts), _spy(_choose, calls), _spy(_refit, calls), hint=WHOLE
        )
        same = all(
            torch.equal(now, then)
            for now, then in zip(_tensors(arguments[0]), _tensors(blocks), strict=True)
        )
        case.true(
            same and torch.equal(arguments[1], images),
            expected="arguments unchanged",
            got="other values",
            hint=UNTOUCHED,
        )
        _compare(case, got, calls, blocks, images, counts)


def choose_counts(expect: Expect, answer: Answer) -> None:
    """09.7: the budget is kept, and the sum of errors is near the smallest of all choices."""
    ratios = []
    for seed in (1, 2, 3, 5):
        for share in (0.5, 0.3, 0.15):
            errors, macs = _problem(seed)
            budget = int(share * macs([max(table) for table in errors]))
            case = expect.given(
                f"5 layers (network {seed}), budget {share:.0%} of all multiply-accumulates"
            )
            got = case.call(answer, copy.deepcopy(errors), macs, budget, hint=LEVELS)
            listed = (
                isinstance(got, list | tuple)
                and len(got) == len(errors)
                and all(count in table for count, table in zip(got, errors, strict=True))
            )
            case.true(listed, expected="one listed number per layer", got=got, hint=LEVELS)
            case.true(macs(got) <= budget, expected=f"at most {budget}", got=macs(got), hint=BUDGET)
            ratios.append(_total(errors, got) / _smallest(errors, macs, budget))
    mean = sum(ratios) / len(ratios)
    near = f"a sum of errors at most {SHARE} times the smallest possible, on average over 12 cases"
    why = "weigh the error that a step adds against the multiply-accumulates that it saves"
    expect.given("all 12 cases together").true(
        mean <= SHARE, expected=near, got=f"{mean:.3f} times", hint=why
    )
    errors, macs = _problem(4)
    everything = [max(table) for table in errors]
    case = expect.given("a budget that all channels fit into")
    got = case.call(answer, errors, macs, macs(everything), hint=LEVELS)
    case.equal(got, everything, hint="where nothing must go, keep everything")


def _chain(widths: Sequence[int], *, bias: bool) -> tuple[Blocks, Tensor]:
    """Return blocks in float64 whose batch norms differ from channel to channel, and images."""
    torch.manual_seed(sum(widths))
    blocks, inputs = [], 2
    for index, width in enumerate(widths):
        last = index == len(widths) - 1
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, width, 1 if last else 3, padding=0 if last else 1, bias=bias)
        ]
        if not last:
            norm = nn.BatchNorm2d(width)
            norm.running_mean, norm.running_var = torch.randn(width) / 4, torch.rand(width) + 0.5
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, -0.2, 0.6)
            layers += [norm, nn.ReLU(), *([nn.MaxPool2d(2)] if index == 0 else [])]
        blocks.append(nn.Sequential(*layers).double().eval())
        inputs = width
    return blocks, torch.randn(3, 2, 6, 6, dtype=torch.float64)


def _choose(inputs: Tensor, target: Tensor, layer: nn.Conv2d, count: int) -> Tensor:
    """Keep the channels of the largest inputs times weights, moved by the target's sum."""
    energy = inputs.square().sum((0, 2, 3)) * layer.weight.detach().square().sum((0, 2, 3))
    place = int(target.abs().sum() * 10) % len(energy)
    return energy.roll(place).argsort(descending=True, stable=True)[:count].sort().values


def _refit(inputs: Tensor, target: Tensor, layer: nn.Conv2d) -> Tensor:
    """Return a new weight that depends on all arguments."""
    output = functional.conv2d(inputs, layer.weight, layer.bias, padding=layer.padding)
    return (layer.weight * (target.square().sum() / output.square().sum()).sqrt() * 0.9).detach()


def _spy(function: Answer, calls: list[tuple[str, Tensor, Tensor]]) -> Answer:
    """Return ``function``, which now notes the maps it is given."""

    def noted(inputs: Tensor, target: Tensor, *others: Any) -> Any:
        calls.append((function.__name__, inputs.detach().clone(), target.detach().clone()))
        return function(inputs, target, *others)

    return noted


@torch.no_grad()
def _compare(
    case: Case,
    got: Any,
    calls: list[tuple[str, Tensor, Tensor]],
    blocks: Blocks,
    images: Tensor,
    counts: Sequence[int],
) -> None:
    """Walk through a network of full size with zero weights for what is cut, beside the answer."""
    masked, source, inputs = copy.deepcopy(blocks), images, images
    names = [name for name, _, _ in calls]
    expected = ["_choose", "_refit"] * len(counts)
    case.true(
        names == expected,
        expected="choose, then refit, once for each block but the last",
        got=", ".join(name[1:] for name in names) or "no call",
        hint=WHOLE,
    )
    for index, count in enumerate(counts):
        source, inputs = blocks[index](source), masked[index](inputs)
        layer = cast(nn.Conv2d, masked[index + 1][0])
        target = blocks[index + 1][0](source)
        (_, chosen_from, chosen_for), (_, fitted_from, fitted_for) = calls[2 * index : 2 * index + 2]
        place = f"{case}: block {index}"
        case.given(f"{place}, inputs for choose").close(chosen_from, inputs, hint=CASCADE)
        case.given(f"{place}, target for choose").close(chosen_for, target, hint=TARGET)
        kept = _choose(inputs, target, layer, count)
        small = copy.deepcopy(layer)
        small.weight = nn.Parameter(layer.weight[:, kept])
        small.in_channels = count
        case.given(f"{place}, inputs for refit").close(fitted_from, inputs[:, kept], hint=KEPT)
        case.given(f"{place}, target for refit").close(fitted_for, target, hint=TARGET)
        weight = torch.zeros_like(layer.weight)
        weight[:, kept] = _refit(inputs[:, kept], target, small)
        layer.weight = nn.Parameter(weight)
    shapes = [[block[0].out_channels, block[0].weight.shape[0]] for block in got]
    case.given(f"{case}: output channels of the blocks").equal(
        shapes, [[n, n] for n in (*counts, blocks[-1][0].out_channels)], hint=WHOLE
    )
    output = images
    for block in got:
        output = block(output)
    case.given(f"{case}: output of the cut network").close(output, masked[-1](inputs), hint=WHOLE)


def _tensors(blocks: Blocks) -> list[Tensor]:
    """Return all tensors of the blocks."""
    return [value for block in blocks for value in block.state_dict().values()]


def _problem(seed: int) -> tuple[list[dict[int, float]], Callable[[Sequence[int]], int]]:
    """Return error tables of five layers with different curves, and their multiply-accumulates.

    Networks of odd and of even seeds have their large feature maps at opposite ends.
    """
    draw, widths = random.Random(seed), (12, 48, 12, 24, 24)
    sides = (8, 4, 4, 2, 2) if seed % 2 else (2, 2, 4, 4, 8)
    errors = []
    for width in widths:
        power, height = draw.uniform(0.5, 3), draw.uniform(0.1, 1)
        errors.append({width * k // 6: round(height * (1 - k / 6) ** power, 4) for k in range(1, 7)})

    def macs(counts: Sequence[int]) -> int:
        pairs = zip(sides, (3, *counts), counts, strict=False)
        return sum(side * side * 9 * before * after for side, before, after in pairs) + 50 * counts[-1]

    return errors, macs


def _total(errors: Sequence[Mapping[int, float]], counts: Sequence[int]) -> float:
    """Sum the errors of a choice."""
    return sum(table[count] for table, count in zip(errors, counts, strict=True))


def _smallest(
    errors: Sequence[Mapping[int, float]], macs: Callable[[Sequence[int]], int], budget: int
) -> float:
    """Return the smallest sum of errors within the budget, by trying all choices."""
    return min(_total(errors, counts) for counts in itertools.product(*errors) if macs(counts) <= budget)

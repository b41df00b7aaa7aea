"""Visible checks of lab 03: affine grids, bytes, straight-through rounding, swapping layers, channels.

Expected values come from the definitions in float64 NumPy, or from properties that every correct
answer has. Values halfway between two levels are avoided, since either neighbour is right.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from labkit.checks.expect import Expect

__all__ = ["CASES"]

Answer = Callable[..., Any]

STATEMENTS = (
    "short_arrays_shrink_most",
    "own_gradient_moves_no_weight",
    "two_bits_zero_more_than_pruning",
    "channel_steps_are_never_wider",
    "packed_zeros_take_no_bits",
)
PARTS = ("float32", "payload", "parameters", "objects", "ratio")
TRIPLE = "return levels, scale, shift"
PASSES = "backward returns the gradient unchanged for every weight, whatever forward did with it"
# None of these values lies near the middle between two levels at the bits they are used with.
MIXED = [0.31, -0.62, 0.0, 1.27, -0.08, 0.84, 0.0, -0.29, 0.55, 0.02]
WIDE = [[-2.6, 0.0, 0.43], [1.1, -0.45, 0.9], [0.16, -1.97, 0.0]]


def affine(expect: Expect, quantize: Answer, dequantize: Answer) -> None:
    """03.1: levels from 0 to 2^b − 1 between minimum and maximum, and back."""
    hint = "scale = (max − min) / (2**bits − 1), shift = min, level = round((x − shift) / scale)"
    for values, bits, why in (
        ([-1.0, 0.1, 0.9, 2.0], 2, hint),
        (MIXED, 4, "4 bits have 16 levels, 0 to 15, and 15 steps between them"),
        (MIXED, 8, "the largest number has level 255: 8 bits have 255 steps, not 256"),
        ([3.0, 4.2, 3.7, 3.4], 3, "the grid starts at the minimum, even if 0 is far away"),
        (WIDE, 5, "one scale and one shift for the whole array, also in two dimensions"),
        ([2.5, 2.5, 2.5], 8, "equal numbers have a range of 0: use 1 as scale"),
    ):
        x = np.array(values, np.float32)
        shown = np.array2string(x, separator=", ").replace("\n", "")
        case, kept = expect.given(f"bits = {bits}, x = {shown}"), x.copy()
        got = case.call(quantize, x, bits, hint=hint)
        case.true(
            isinstance(got, tuple) and len(got) == 3, expected="a tuple of three", got=got, hint=TRIPLE
        )
        levels, scale, shift = got
        form = (getattr(levels, "dtype", None), np.shape(levels))
        right = form == (np.uint8, x.shape)
        case.true(
            right, expected="uint8 levels, shaped like x", got=form, hint="convert the levels to uint8"
        )
        low, step = float(x.min()), (float(x.max()) - float(x.min())) / (2**bits - 1) or 1.0
        case.close([scale, shift], [step, low], hint=why, rtol=1e-5)
        case.equal(levels, np.rint((x.astype(float) - low) / step), hint=why)
        back = case.call(dequantize, levels, scale, shift, hint=hint)
        case.close(back, low + step * levels.astype(float), hint=why, atol=1e-5)
        case.true(np.array_equal(x, kept), expected="x unchanged", got=x, hint="compute with a copy")
    case, why = expect.given("x = [0, 0.4, 1], bits not given"), "where bits is not given it is 8"
    levels, scale, _ = case.call(quantize, np.array([0.0, 0.4, 1.0]), hint=why)
    case.close([*levels, scale], [0, 102, 255, 1 / 255], hint=why)
    case = expect.given("dequantize([0, 7, 255], scale = 0.5, shift = −3)")
    why = "scale · level + shift; beware of computing in uint8, where 255 + 1 is 0"
    back = case.call(dequantize, np.array([0, 7, 255], np.uint8), 0.5, -3.0, hint=why)
    case.close(back, [-3.0, 0.5, 124.5], hint=why)
    case.true(back.dtype == np.float32, expected="float32", got=back.dtype, hint="convert with astype")


def count_bytes(expect: Expect, answer: Answer) -> None:
    """03.2: the bytes of each part, and the ratio that results."""
    hint = "one entry for each part named in the docstring"
    padded = "levels are packed without gaps, but each array starts at a new byte: round up"
    for shapes, bits, why in (
        ([(1000,)], 8, "8 bits are one byte per number; scale and shift take 4 bytes each"),
        ([(1000,)], 4, "two levels of 4 bits fill a byte"),
        ([(3,)], 4, padded),
        ([(3,), (3,)], 3, padded),
        ([(20, 5), (5,)], 6, "every array has its own scale, shift and object"),
        ([(1,), (2, 2), (2, 2, 2)], 1, padded),
    ):
        arrays = [np.zeros(shape, np.float32) for shape in shapes]
        case = expect.given(f"bits = {bits}, float32 arrays of shapes {', '.join(map(str, shapes))}")
        got = case.call(answer, arrays, bits, hint=hint)
        case.keys(got, PARTS)
        sizes = [int(np.prod(shape)) for shape in shapes]
        parts = [4 * sum(sizes), sum((size * bits + 7) // 8 for size in sizes), 8 * len(sizes)]
        parts.append(sum(sys.getsizeof(array) - array.nbytes for array in arrays))
        expect.given(f"{case}; {PARTS[:4]}").equal([got[part] for part in PARTS[:4]], parts, hint=why)
        ratio = (parts[0] + parts[3]) / (parts[1] + parts[2] + parts[3])
        why = "an object is needed before and after: add it on both sides"
        expect.given(f"{case}; ratio").close(got["ratio"], ratio, hint=why)


def asymmetric(expect: Expect, answer: Answer) -> None:
    """03.3: rounding to a grid with an integer zero point; the gradient passes."""
    hint = "scale = (high − low) / (2**bits − 1), zero_point = round(−low / scale), clamp the levels"
    nearest = "round w / scale, then add the integer zero point: (w − low) / scale rounds differently"
    for values, bits, why in (
        (MIXED, 3, hint),
        (MIXED[::-1], 2, nearest),
        (WIDE, 4, nearest),
        (WIDE, 8, "2**bits − 1 steps"),
        ([0.3, 0.9, 1.7, 0.0, 2.4], 2, "high is the largest weight, low is 0 where no weight is negative"),
        ([3.1, 4.2, 3.7, 5.9], 3, "the range always contains 0: clamp low and high"),
        ([-3.1, -4.2, -3.7, -5.9], 3, "the range always contains 0: clamp low and high"),
        ([-0.7, -0.7], 3, "a single value and 0 still span a range"),
        ([0.0, 0.0, 0.0], 4, "all weights 0: there is no range, return them as they are"),
        ([-0.9, 0.3, 0.7, 1.0], 1, "1 bit has two values, one of them 0"),
    ):
        _rounding_case(expect, answer, values, bits, _asymmetric_oracle(values, bits), why)
    case = expect.given("bits = 2, weight = [-1, -0.6, 0, 0.6, 1]")
    why = "clamp: both ends may round outwards"
    got = case.call(answer, torch.tensor([-1.0, -0.6, 0.0, 0.6, 1.0]), 2, hint=why)
    case.true(got.unique().numel() <= 4, expected="at most 4 different values", got=got, hint=why)
    _straight_through(expect, answer)


def symmetric(expect: Expect, answer: Answer) -> None:
    """03.4: the grid has as many values below 0 as above; the gradient passes."""
    hint = "the largest magnitude lies on the last step of its side: how many steps has a side, how long is one?"
    for values, bits, why in (
        (MIXED, 3, hint),
        (MIXED[::-1], 2, "2 bits are ternary: −max|w|, 0, max|w|"),
        (WIDE, 4, "the largest magnitude decides, whatever its sign"),
        (WIDE, 8, "8 bits have 127 steps on each side"),
        ([0.3, 0.9, 1.7, 0.0, 2.4], 3, "the grid has values below 0 even if no weight is"),
        ([-3.1, -4.2, -3.7, -5.9], 3, "max|w|, not the largest weight"),
        ([0.0, 0.0, 0.0], 4, "all weights 0: there is no range, return them as they are"),
    ):
        highest = 2 ** (bits - 1) - 1
        scale = float(np.abs(values).max()) / highest or 1.0
        _rounding_case(expect, answer, values, bits, scale * np.rint(np.array(values) / scale), why)
    _straight_through(expect, answer)


def swap_blocks(expect: Expect, answer: Answer) -> None:
    """03.5: every convolution inside the blocks is swapped in a copy, and none outside."""
    model = _nested_model()
    case = expect.given("a model with convolutions in conv1, layer1 … layer3, layer30 and head")
    hint = "a convolution may lie several modules deep; replace it in the module that holds it, in a copy"
    before = {key: value.clone() for key, value in model.state_dict().items()}
    types = [type(module) for module in model.modules()]
    modules = dict(case.call(answer, model, _Marked, hint=hint).named_modules())
    marked = [name for name, module in modules.items() if isinstance(module, _Marked)]
    expected = ["layer1.0", "layer1.2.0", "layer2.inner.conv1", "layer2.inner.shortcut.0", "layer3.0"]
    why = "every convolution inside the three attributes, however deep, shortcuts included; none outside"
    case.true(
        marked == expected, expected=f"swapped: {', '.join(expected)}", got=", ".join(marked), hint=why
    )
    why = "swap in a deep copy; the argument stays as it is"
    same = types == [type(module) for module in model.modules()]
    case.true(same, expected="the argument unchanged", got="it has swapped modules", hint=why)
    for parameter in modules[""].parameters():
        nn.init.zeros_(parameter)
    unchanged = all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    case.true(unchanged, expected="separate weights in the result", got="shared weights", hint=why)
    small = _nested_model(channels=2)
    case = expect.given("a model of other widths; make returns a convolution of twice the weights")
    layer1 = case.call(answer, small, _twice, hint=hint).layer1
    x = torch.linspace(-1, 1, 32).view(1, 2, 4, 4)
    why = "call make with the convolution of the copy, weights included, and use the module that it returns"
    expected = 2 * small.layer1[2][0](2 * small.layer1[0](x).relu())
    case.close(case.call(layer1, x, hint=why), expected, hint=why, atol=1e-5)


def per_channel(expect: Expect, answer: Answer) -> None:
    """03.6: every output channel has a grid of its own; the gradient passes."""
    hint = "weight[0], weight[1], … are the channels: each is rounded as a tensor of its own, as in 03.3"
    for shape, values, bits, why in (
        ((2, 3), [0.11, -0.04, 0.02, 1.1, -0.4, 0.2], 2, hint),
        ((3, 3), WIDE, 3, "rows are the output channels, not columns"),
        ((2, 1, 1, 5), MIXED, 3, "a channel is everything in weight[i], whatever its shape"),
        ((5, 2, 1, 1), MIXED[::-1], 2, hint),
        ((1, 10), MIXED, 4, "one channel alone is rounded as the whole tensor"),
        ((2, 3), [0.0, 0.0, 0.0, 0.7, -0.2, 0.45], 2, "a channel of zeros stays; the others are rounded"),
        ((2, 2), [2.0, 3.1, -2.0, -3.1], 2, "the range of every channel contains 0"),
        ((4,), [0.3, -1.7, 0.0, 2.4], 2, "a channel of a single weight is the end of its own range"),
    ):
        weight = np.array(values).reshape(shape)
        right = np.stack([_asymmetric_oracle(channel, bits) for channel in weight])
        _rounding_case(expect, answer, weight.tolist(), bits, right, why)
    why = "your function of 03.3 passes the gradient on; do not detach the weight or copy numbers out of it"
    _straight_through(expect, answer, why)


def concept_answers(expect: Expect, answer: Answer) -> None:
    """03.7: each statement has the answer True or False; grading tells whether it is right."""
    expect.verdicts(answer, STATEMENTS)


class _Marked(nn.Module):
    """What ``make`` returns in the check: a module that holds the convolution."""

    def __init__(self, convolution: nn.Module) -> None:
        super().__init__()
        self.convolution = convolution


def _twice(convolution: nn.Conv2d) -> nn.Conv2d:
    """Return a copy with twice the weights."""
    made = copy.deepcopy(convolution)
    made.weight.data *= 2
    return made


def _nested_model(channels: int = 3) -> Any:
    """Build a model with convolutions inside and outside the blocks, named as in ResNet-20."""
    torch.manual_seed(0)
    model, inner = nn.Module(), nn.Module()
    inner.conv1, inner.bn = nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4)
    inner.shortcut = nn.Sequential(nn.Conv2d(channels, 4, 1))
    model.conv1 = nn.Conv2d(channels, channels, 1)
    last = nn.Conv2d(channels, 2, 3, padding=1, bias=False)
    model.layer1 = nn.Sequential(
        nn.Conv2d(channels, channels, 1, bias=False), nn.ReLU(), nn.Sequential(last)
    )
    model.layer2 = nn.ModuleDict({"inner": inner, "linear": nn.Linear(2, 2)})
    model.layer3, model.layer30 = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()), nn.Conv2d(4, 4, 1)
    model.head = nn.Conv2d(4, 5, 1)
    return model


def _asymmetric_oracle(values: Any, bits: int) -> np.ndarray:
    """Compute the rounded weights from the definition, in float64."""
    x = np.array(values, float)
    low, high = min(x.min(), 0.0), max(x.max(), 0.0)
    scale = (high - low) / (2**bits - 1) or 1.0
    zero_point = np.rint(-low / scale)
    return scale * (np.clip(np.rint(x / scale) + zero_point, 0, 2**bits - 1) - zero_point)


def _rounding_case(expect: Expect, answer: Answer, values: Any, bits: int, right: Any, why: str) -> None:
    """Check the rounded weights, exact zeros where weights are 0, and that the argument is unchanged."""
    weight = torch.tensor(values)
    case, kept = expect.given(f"bits = {bits}, weight = {values}"), weight.clone()
    got = case.call(answer, weight, bits, hint=why)
    case.close(got, right, hint=why, atol=2e-6, rtol=1e-5)
    zeros = got[kept == 0]
    case.true(bool((zeros == 0).all()), expected="exact zeros at zeros", got=zeros, hint="the grid has a 0")
    case.true(
        torch.equal(weight, kept), expected="the weight unchanged", got=weight, hint="compute with a copy"
    )


def _straight_through(expect: Expect, answer: Answer, hint: str = PASSES) -> None:
    """Check that the gradient passes unchanged, at zeros and extremes too."""
    weight = torch.tensor([[[-1.3, 0.0], [0.4, 2.2]], [[0.0, 0.1], [-0.2, 0.75]]], requires_grad=True)
    factors = torch.arange(1.0, 9.0).view(2, 2, 2)
    case = expect.given(
        "weight of shape (2, 2, 2) with zeros, bits = 3, loss = Σ (1, 2, …, 8) · rounded weight"
    )

    def gradient() -> Tensor | str:
        (factors * answer(weight, 3)).sum().backward()
        return "no gradient" if weight.grad is None else weight.grad

    got = case.call(gradient, hint=hint)
    case.close(got, factors, hint=hint)


HINTS = {
    "03.4": "2**bits − 1 values, one of them 0, leave 2**(bits − 1) − 1 steps on each side. max|w| lies at the "
    "end of a side, so scale = max|w| / (2**(bits − 1) − 1). A level is w / scale, rounded.",
    "03.5": "Copy the model with copy.deepcopy. For each of the three attributes go through its "
    "named_modules(), as a list, since you change it on the way. model.set_submodule(name, module) puts a "
    "module into place by its full name, such as 'layer1.0.conv1'; setattr on the module that holds it does too.",
    "03.6": "Going through a tensor gives its channels one by one: for channel in weight. Round each of them with "
    "your function of 03.3, and put the results together again with torch.stack.",
}
CASES: dict[str, Callable[..., None]] = {
    "03.1": affine,
    "03.2": count_bytes,
    "03.3": asymmetric,
    "03.4": symmetric,
    "03.5": swap_blocks,
    "03.6": per_channel,
    "03.7": concept_answers,
}

"""Visible checks of lab 10: moving average, schedules, masks, SparseConv2d, what a zero filter emits.

Expected values come from plain Python and NumPy, or from properties that every correct answer has.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from labkit.checks.expect import Expect

__all__ = ["CASES"]

Answer = Callable[..., Any]

EDGE = "at the edges average the values that are there: the window is cut off, nothing is filled in"
CENTRE = "the window is centred: as many values before as after, and the value itself"
FILTER = "rank the filters by the sum of |w| over all their weights and remove round(share · out) of them"
ROUND = "Python's round: 0.4 of 6 filters are 2.4, so 2; 0.3 of 5 are 1.5, so 2"
TIES = "of equal ones the lowest index goes first: sort stably"
KEPT = "leave the answer's input as it is: return a new tensor"
PARAMETRIZED = "register a parametrization of 'weight' whose forward returns the masked weight"
BUFFER = "keep the mask as a buffer (register_buffer), so it is in the state dict"


def moving_average(expect: Expect, answer: Answer) -> None:
    """10.1: a centred window, cut off at the edges."""
    for values, window, why in (
        ([4.0, 2.0, 6.0, 0.0], 3, CENTRE),
        ([1.0, 2.0, 3.0, 10.0, 5.0, 0.0, 7.0], 5, EDGE),
        ([0.0, 8.0, 0.0, -2.0], 3, EDGE),
        ([3.0, -1.0, 2.0], 1, "a window of 1 changes nothing"),
        ([1.0, 5.0, 3.0], 9, "a window longer than the list averages all that is there"),
        ([2.5] * 40, 7, EDGE),
    ):
        case = expect.given(f"values = {values if len(values) < 10 else '40 times 2.5'}, window = {window}")
        got = case.call(answer, list(values), window, hint=CENTRE)
        half = window // 2
        expected = [
            math.fsum(part) / len(part)
            for part in (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
        ]
        case.close(got, expected, hint=why)


def schedules(expect: Expect, multi_step: Answer, cosine: Answer) -> None:
    """10.2: the rate of single steps."""
    for step, base, milestones, gamma, expected, why in (
        (0, 0.1, [30, 60], 0.1, 0.1, "before the first milestone the rate is the base rate"),
        (29, 0.1, [30, 60], 0.1, 0.1, "step 29 is before milestone 30"),
        (30, 0.1, [30, 60], 0.1, 0.01, "the rate falls at the milestone itself"),
        (75, 0.4, [30, 60], 0.5, 0.1, "each milestone that is reached multiplies by gamma once"),
        (12, 0.4, [5, 10], 0.5, 0.1, "every milestone that is reached counts, also early ones"),
        (5, 0.2, [], 0.1, 0.2, "without milestones the rate is constant"),
    ):
        case = expect.given(f"step {step}, base {base}, milestones {milestones}, gamma {gamma}")
        got = case.call(multi_step, step, base, list(milestones), gamma, hint="return the rate, a number")
        case.close(got, expected, hint=why)
    for step, base, t_max, why in (
        (0, 0.1, 100, "at step 0 the cosine is 1"),
        (50, 0.1, 100, "halfway to t_max the rate is half of the base rate"),
        (25, 0.4, 100, "base · (1 + cos(π · step / t_max)) / 2, with the angle in radians"),
        (100, 0.1, 100, "at t_max the rate is 0"),
        (100, 0.1, 200, "with t_max = 200 step 100 is halfway"),
    ):
        case = expect.given(f"step {step}, base {base}, t_max {t_max}")
        got = case.call(cosine, step, base, t_max, hint="return the rate, a number")
        case.close(got, base * math.cos(math.pi * step / t_max / 2) ** 2, hint=why, atol=1e-9)


def filter_mask(expect: Expect, answer: Answer) -> None:
    """10.3: whole filters with the smallest L1 norms are removed."""
    l1 = torch.tensor([[0.4, -0.4, 0.4], [1.0, 0.0, 0.0], [-0.1, 0.1, 0.0], [-2.0, 0.0, 1.0]])
    for weight, share, why in (
        (l1.view(4, 3, 1, 1), 0.5, "the L1 norm adds up |w|: 1.2, 1.0, 0.2 and 3.0"),
        (-l1.view(4, 1, 3, 1), 0.25, "take magnitudes: signs must not cancel"),
        (l1.roll(1, 0).view(4, 3, 1, 1), 0.5, "the ranking follows the weights, not their places"),
        (_weights(5, 2, 3, 3), 0.3, ROUND),
        (_weights(6, 4, 3, 3), 0.4, ROUND),
        (torch.ones(30, 2, 1, 1), 0.5, TIES),
        (_weights(8, 3, 3, 3), 0.0, "a share of 0 keeps everything"),
        (_weights(8, 3, 3, 3), 1.0, "a share of 1 removes everything"),
    ):
        case = expect.given(f"a weight of shape {tuple(weight.shape)}, share {share}")
        before = weight.clone()
        got = case.call(answer, weight, share, hint=FILTER)
        case.equal(got, _kept_filters(weight, share), hint=why)
        case.true(
            isinstance(got, Tensor) and got.dtype == torch.bool,
            expected="dtype torch.bool",
            got=getattr(got, "dtype", type(got).__name__),
            hint="True means kept",
        )
        case.equal(weight, before, hint=KEPT)
    case = expect.given("an nn.Parameter that requires a gradient")
    parameter = nn.Parameter(_weights(4, 2, 1, 1))
    case.equal(case.call(answer, parameter, 0.5, hint=FILTER), _kept_filters(parameter, 0.5), hint=FILTER)


def one_interface(expect: Expect, weight_mask: Answer, masks_of: Answer) -> None:
    """10.4: single weights by the same signature, and the masks of all convolutions by either rule."""
    why = "remove the round(share · n) weights of smallest |w|, wherever they are"
    for weight, share, reason in (
        (_weights(4, 2, 3, 3), 0.5, why),
        (torch.tensor([[0.5, -0.1], [2.0, -3.0], [0.3, 1.0]]).view(3, 2, 1, 1), 0.4, ROUND),
        (torch.ones(25, 1, 2, 2), 0.33, TIES),
        (_weights(4, 2, 3, 3).flip(0), 0.5, why),
        (_weights(4, 2, 3, 3), 0.0, "a share of 0 keeps everything"),
    ):
        case = expect.given(f"weight_mask: shape {tuple(weight.shape)}, share {share}")
        values = weight.abs().flatten().tolist()
        ranking = [index for _, index in sorted(zip(values, range(len(values)), strict=True))]
        removed = ranking[: round(share * len(values))]
        expected = np.ones(len(values), bool)
        expected[removed] = False
        got = case.call(weight_mask, weight, share, hint=why)
        case.equal(got, expected.reshape(weight.shape), hint=reason)
    nested = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)), nn.Flatten()
    )
    nested.append(nn.Linear(2, 2))
    single = nn.Sequential(nn.ReLU(), nn.Conv2d(5, 6, 2))
    _masks_of(expect, masks_of, "'0' and '1.1', a linear layer '3'", nested, 0.25, keeps=False)
    _masks_of(expect, masks_of, "'1'", single, 0.5, keeps=True)


def _masks_of(
    expect: Expect, answer: Answer, text: str, model: nn.Module, share: float, *, keeps: bool
) -> None:
    """Check the masks of a model's convolutions with a rule that keeps all weights, or none."""
    case = expect.given(f"convolution_masks: convolutions {text}, share {share}, a rule")
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)}
    calls: list[tuple[int, ...]] = []

    def rule(weight: Tensor, share: float) -> Tensor:
        calls.append((*weight.shape, round(100 * share)))
        return torch.full(weight.shape, keeps)

    names = "convolutions only, nested ones too, named as by model.named_modules()"
    got = case.call(answer, model, share, rule, hint="return a dict from the layer's name to its mask")
    case.keys(got, list(layers), hint=names)
    case.true(
        calls == [(*layer.weight.shape, round(100 * share)) for layer in layers.values()],
        expected="rule(weight, share) called once for each convolution",
        got=calls,
        hint="the rule is the third argument: call it for each layer's weight",
    )
    case.true(
        all(bool((mask == keeps).all()) for mask in got.values()),
        expected="what the rule returned",
        got=got,
        hint="return the rule's masks",
    )


def target_share(expect: Expect, answer: Answer) -> None:
    """10.5: which share is pruned in an epoch."""
    text = "min(epoch // every, times) · amount"
    for every, amount, times in ((10, 0.1, 5), (5, 0.15, 5), (3, 0.25, 2)):
        case = expect.given(f"epochs 0 to 69, every = {every}, amount = {amount}, times = {times}")
        got = [
            case.call(answer, epoch, every, amount, times, hint="return the share, a number")
            for epoch in range(70)
        ]
        expected = [amount * sum(epoch >= every * k for k in range(1, times + 1)) for epoch in range(70)]
        case.close(
            got,
            expected,
            hint=f"nothing before epoch {every}, nothing more after epoch {every * times}: {text}",
        )


def sparse_convolution(expect: Expect, sparse: type[nn.Conv2d]) -> None:
    """10.6: a convolution with a masked weight."""
    options: dict[str, Any] = {"stride": 2, "padding": 1, "bias": False}
    plain, x = nn.Conv2d(3, 4, 3, **options), torch.randn(2, 3, 8, 8)
    case = expect.given("SparseConv2d(3, 4, 3, stride=2, padding=1, bias=False), mask not set")
    layer = case.call(lambda: sparse(3, 4, 3, **options), hint="pass the arguments on to nn.Conv2d")
    case.true(
        isinstance(layer, nn.Conv2d),
        expected="an nn.Conv2d",
        got=type(layer).__name__,
        hint="the class is a subclass of nn.Conv2d",
    )
    parametrized: Any = getattr(layer, "parametrizations", None)
    case.true(
        parametrized is not None and "weight" in parametrized,
        expected="a parametrized weight",
        got=type(layer).__name__,
        hint=PARAMETRIZED,
    )
    original = parametrized["weight"].original
    original.data.copy_(plain.weight.data)
    case.true(
        torch.equal(layer(x), plain(x)),
        expected="the output of nn.Conv2d, bit for bit",
        got=layer(x),
        hint="the first mask keeps everything",
    )
    mask = torch.arange(108).view(4, 3, 3, 3) % 3 != 0
    mask[1] = False
    case = expect.given("set_mask(mask): a filter and a third of the other weights removed")
    mask_copy = mask.clone()
    case.call(lambda: (layer.set_mask(mask_copy), 0), hint="write the mask into the buffer")
    masked = torch.where(mask, plain.weight.detach(), 0.0)
    case.equal(layer.weight.detach(), masked, hint=PARAMETRIZED)
    case.close(
        layer(x).detach(), functional.conv2d(x, masked, stride=2, padding=1), hint=PARAMETRIZED, atol=1e-6
    )
    case.equal(
        original.detach(),
        plain.weight.detach(),
        hint="the original weight stays; only what the layer computes with is masked",
    )
    case = expect.given("one step of SGD with momentum and weight decay")
    optimizer = torch.optim.SGD(layer.parameters(), 0.1, momentum=0.9, weight_decay=0.1)
    layer(x).square().sum().backward()
    gradient = original.grad
    case.true(
        gradient is not None and not bool(gradient[~mask].any()) and bool(gradient[mask].any()),
        expected="a gradient of 0 exactly where the mask removes",
        got=gradient,
        hint="mask · weight passes no gradient to what it removes",
    )
    optimizer.step()
    case.true(
        not bool(layer.weight[~mask].any()),
        expected="removed weights still 0",
        got=layer.weight,
        hint="the mask acts in every forward pass, whatever the optimizer does",
    )
    case = expect.given("a state dict saved and loaded into a new layer")
    other = sparse(3, 4, 3, **options)
    state = copy.deepcopy(layer.state_dict())
    case.call(lambda: (other.load_state_dict(state), 0), hint=BUFFER)
    case.equal(other.weight.detach(), layer.weight.detach(), hint=BUFFER)
    case = expect.given("the tensor that set_mask was given is filled with True afterwards")
    mask_copy.fill_(True)
    case.true(
        not bool(layer.weight[~mask].any()),
        expected="the layer's mask unchanged",
        got=layer.weight,
        hint="copy the values into the layer's own buffer, for example with copy_",
    )


def leftover(expect: Expect, answer: Answer) -> None:
    """10.7: what a channel emits behind a zero filter."""
    why = "relu(β − γ · μ / √(σ² + ε)): weight is γ, bias is β, running_mean is μ, running_var is σ²"
    norm = nn.BatchNorm2d(4, eps=0.1).eval()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, 0.0, -1.0]))
        norm.bias.copy_(torch.tensor([0.5, -1.0, 0.25, 0.5]))
    norm.running_mean = torch.tensor([0.0, -3.0, 7.0, 2.0])
    norm.running_var = torch.tensor([1.0, 0.9, 2.0, 0.15])
    case = expect.given("batch norm of 4 channels, ε = 0.1, γ = (1, 2, 0, −1), β = (0.5, −1, 0.25, 0.5)")
    got = case.call(answer, norm, hint=why)
    case.close(got, norm(torch.zeros(1, 4, 1, 1)).relu().flatten().detach(), hint=why, atol=1e-5)
    case = expect.given("another one in training mode, a mean above the bias in every channel")
    norm = copy.deepcopy(norm).train()
    norm.running_mean = torch.tensor([9.0, 9.0, 9.0, -9.0])
    before = copy.deepcopy(norm.state_dict())
    got = case.call(answer, norm, hint=why)
    case.close(got, [0.0, 0.0, 0.25, 0.0], hint="relu: what is negative becomes 0", atol=1e-5)
    same = all(torch.equal(norm.state_dict()[key], value) for key, value in before.items())
    case.true(
        same,
        expected="the layer unchanged",
        got="other running statistics",
        hint="a forward pass in training mode moves the statistics: use the formula",
    )


def _weights(*shape: int) -> Tensor:
    """Return weights whose magnitudes all differ."""
    count = math.prod(shape)
    ranks = torch.tensor([(index * 7919) % (count * 2 + 1) for index in range(count)])
    return ((ranks + 1) * (1 - 2 * (torch.arange(count) % 2)) / count).view(shape)


def _kept_filters(weight: Tensor, share: float) -> np.ndarray:
    norms = [math.fsum(map(abs, row)) for row in weight.detach().flatten(1).tolist()]
    removed = sorted(range(len(norms)), key=lambda index: (norms[index], index))[
        : round(share * len(norms))
    ]
    kept = np.ones(len(norms), bool)
    kept[removed] = False
    return np.broadcast_to(kept.reshape(-1, *[1] * (weight.ndim - 1)), tuple(weight.shape))


CASES: dict[str, Callable[..., None]] = {
    "10.1": moving_average,
    "10.2": schedules,
    "10.3": filter_mask,
    "10.4": one_interface,
    "10.5": target_share,
    "10.6": sparse_convolution,
    "10.7": leftover,
}

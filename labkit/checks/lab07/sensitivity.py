"""Visible checks 07.1 to 07.3: sensitivity curves, overall sparsity, the greedy choice of sparsities.

The oracles are sorting in plain Python, a table of prices in NumPy, and properties that every correct
answer has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from labkit.checks.expect import Expect

__all__ = ["by_hand", "greedy_choice", "sensitivity_curve"]

Answer = Callable[..., Any]

CURVE = "at each level the round(level / 100 · n) least |w| of the original weight are 0, the others as they were"
RESTORE = "the same tensor has its original values again, however the measurement ends"
RATIO = "zeros over all weights, so a large layer counts for more; round each layer's count"
RULE = (
    "raise the layer whose next level has the least (loss added) / (weights removed), one level at a time"
)
LAYERS = {
    f"features.{index}": 9 * inputs * outputs
    for index, inputs, outputs in (
        *((0, 3, 64), (3, 64, 64), (7, 64, 128), (10, 128, 128), (14, 128, 256), (17, 256, 256)),
        *((20, 256, 256), (24, 256, 512), *((index, 512, 512) for index in (27, 30, 34, 37, 40))),
    )
} | {"classifier.0": 512 * 512, "classifier.3": 512 * 512, "classifier.6": 512 * 10}


def sensitivity_curve(expect: Expect, answer: Answer) -> None:
    """07.1: the weight that the score sees at each level, and that the weight is restored."""
    for values, levels, why in (
        ([0.5, -0.1, 2.0, -3.0, 0.3], [0, 20, 40, 80, 100], CURVE),
        (
            [0.5, -0.1, 2.0, -3.0, 0.3],
            [90, 20, 40, 60, 0],
            "start each level from the original weight: levels may decrease",
        ),
        (
            [1.0, -1.0, 1.0, -1.0],
            [25, 50],
            "of equal magnitudes the lowest index goes first, and exactly k go",
        ),
        ([-5.0, 1.0, -2.0, 4.0], [50], "it is the magnitude |w| that counts, not the sign"),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [25], "25 % of 7 is 1.75: round it, do not cut it off"),
        (
            [[3.0, 9.0], [1.0, 2.0], [8.0, 7.0]],
            [50],
            "one ranking for the whole weight, whatever its shape",
        ),
        ([2.0, 1.0], [], "without levels there are no scores"),
    ):
        case = expect.given(f"weight = {values}, levels = {levels} %")
        weight = nn.Parameter(torch.tensor(values))
        seen: list[list[float]] = []
        before = weight.detach().clone()

        def score(weight: Tensor = weight, seen: list[list[float]] = seen) -> float:
            seen.append(weight.detach().flatten().tolist())
            return float(len(seen))

        got = case.call(answer, weight, list(levels), score, hint=CURVE)
        expected = [_pruned(before, level) for level in levels]
        expect.given(f"the weight that score() sees for {case}").close(seen, expected, hint=why)
        case.close(got, [float(i + 1) for i in range(len(levels))], hint="return one score per level")
        expect.given(f"the weight after {case}").equal(weight, before, hint=RESTORE)
    _restores(expect, answer)


def by_hand(expect: Expect, overall: Answer, choice: Answer) -> None:
    """07.2: the overall sparsity, and a choice by hand that is within bounds."""
    for counts, sparsities, why in (
        ({"a": 100, "b": 300}, {"a": 0.0, "b": 50.0}, RATIO),
        ({"a": 10, "b": 10_000}, {"a": 90.0, "b": 20.0}, RATIO),
        ({"b": 10, "a": 30}, {"a": 10.0, "b": 90.0}, "pair layers by name, not by place"),
        (
            {"a": 7, "b": 7},
            {"a": 25.0, "b": 50.0},
            "each layer loses whole weights: round(s / 100 · count)",
        ),
        ({"a": 10, "b": 10}, {"b": 50.0}, "a layer that is not named keeps all weights, which still count"),
        ({"a": 5}, {}, "no layer is named, so nothing is pruned"),
        ({}, {}, "without layers the result is 0"),
        ({"a": 5}, {"a": 100.0}, "at 100 % everything is pruned"),
    ):
        case = expect.given(f"counts = {counts}, sparsities = {sparsities}")
        got = case.call(overall, dict(counts), dict(sparsities), hint=RATIO)
        removed = sum(round(sparsities.get(name, 0) / 100 * n) for name, n in counts.items())
        case.close(got, 100 * removed / (sum(counts.values()) or 1), hint=why)
    case = expect.given("hand_choice()")
    hint = "one sparsity in per cent for each of the sixteen layers"
    got = case.call(choice, hint=hint)
    case.keys(got, list(LAYERS), hint=hint)
    fits = all(
        isinstance(s, int | float | np.integer | np.floating) and not isinstance(s, bool) and 0 <= s <= 99
        for s in got.values()
    )
    why = "no layer may lose more than 99 %: nothing would pass"
    case.true(fits, expected="numbers from 0 to 99", got=got, hint=why)
    zeros = sum(round(s / 100 * LAYERS[name]) for name, s in got.items())
    share = 100 * zeros / sum(LAYERS.values())
    why = "weigh each layer by its number of weights; write per cent, not shares"
    expect.given("the overall sparsity").true(70 <= share <= 90, expected="70 to 90 %", got=share, hint=why)
    different = len(set(got.values())) >= 3
    why = "layers differ in how much pruning they tolerate: use the curves"
    case.true(different, expected="at least three sparsities", got=got, hint=why)


def greedy_choice(expect: Expect, answer: Answer) -> None:
    """07.3: compare with the same rule, where every step is searched from scratch."""
    usual, others = [0.0, 20.0, 50.0, 80.0, 95.0], [0.0, 10.0, 40.0, 70.0, 90.0]
    cheap, dear = [0.0, 0.1, 0.3, 0.8, 2.0], [0.0, 1.0, 2.5, 4.5, 7.0]
    for counts, levels, losses, target, why in (
        ({"a": 100, "b": 100}, usual, {"a": cheap, "b": dear}, 40.0, RULE),
        ({"a": 100, "b": 100}, others, {"a": cheap, "b": dear}, 40.0, "the levels are an argument"),
        (
            {"a": 10, "b": 1000},
            usual,
            {"a": cheap, "b": dear},
            30.0,
            "divide by the weights removed: n · (s' − s)",
        ),
        (
            {"a": 50, "b": 50},
            usual,
            {"a": [0, 0.1, 1, 3, 9], "b": [0, 0.2, 0.4, 0.6, 0.8]},
            60.0,
            "the price of a layer changes with its level",
        ),
        (
            {"a": 50, "b": 50},
            usual,
            {"a": [5.0, 5.1, 5.3, 5.8, 7.0], "b": cheap},
            30.0,
            "the loss added, not the loss",
        ),
        (
            {"b": 10, "a": 10},
            usual,
            {"a": cheap, "b": cheap},
            10.0,
            "of equal prices raise the layer that comes first in counts",
        ),
        ({"a": 10, "b": 20}, usual, {"a": cheap, "b": dear}, 0.0, "at target 0 nothing is pruned"),
        (
            {"a": 10, "b": 20},
            usual,
            {"a": cheap, "b": dear},
            95.0,
            "stop when all layers are at their last level",
        ),
        (
            {"a": 50, "b": 50},
            usual,
            {"a": cheap, "b": dear},
            25.0,
            "stop at the first step that reaches the target",
        ),
        (
            {"a": 50, "b": 50},
            usual,
            {"a": [1, 0.8, 0.9, 3, 4], "b": cheap},
            30.0,
            "a loss may decrease: then the price is negative",
        ),
    ):
        case = expect.given(f"counts = {counts}, levels = {levels}, losses = {losses}, target = {target} %")
        copies = {name: list(map(float, row)) for name, row in losses.items()}
        got = case.call(answer, dict(counts), list(levels), copies, target, hint=RULE)
        case.keys(got, list(counts), hint="one level for each layer")
        expected = _greedy(counts, levels, losses, target)
        case.close([got[name] for name in counts], expected, hint=why)


def _restores(expect: Expect, answer: Answer) -> None:
    """Check that the weight is restored when the score raises, and that the exception passes on."""
    weight = nn.Parameter(torch.arange(1.0, 11.0))

    def score() -> float:
        raise KeyboardInterrupt

    case = expect.given("a score that raises KeyboardInterrupt")
    why = "let the exception pass on; a student who stops a scan wants to see it stop"
    case.raises(KeyboardInterrupt, answer, weight, [50.0], score, hint=why)
    expect.given(f"the weight after {case}").equal(weight, torch.arange(1.0, 11.0), hint=RESTORE)


def _pruned(weight: Tensor, level: float) -> list[float]:
    """Set the least magnitudes to 0, by sorting (magnitude, index) pairs."""
    values: list[float] = weight.flatten().tolist()
    ranked = sorted(range(len(values)), key=lambda index: (abs(values[index]), index))
    removed = set(ranked[: round(level / 100 * len(values))])
    return [0.0 if index in removed else value for index, value in enumerate(values)]


def _greedy(
    counts: Mapping[str, int], levels: list[float], losses: Mapping[str, list[float]], target: float
) -> list[float]:
    """Apply the rule to arrays: a table of prices, from which the cheapest next step is taken each time."""
    sizes = np.array(list(counts.values()), float)
    rows = np.array([losses[name] for name in counts], float)
    prices = np.diff(rows, axis=1) / (sizes[:, None] * np.diff(levels))
    place = np.zeros(len(sizes), int)
    while sizes @ np.array(levels)[place] < target * sizes.sum() - 1e-9:
        following = [prices[i, p] if p < len(levels) - 1 else np.inf for i, p in enumerate(place)]
        place[int(np.argmin(following))] += 1
    return [levels[p] for p in place]

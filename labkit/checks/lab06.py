"""Visible checks of lab 06: multiply-accumulates, latency, top-k accuracy, energy, and statements.

The oracles are output shapes that PyTorch computes on the meta device, a simulated device and clock,
ranks counted class by class, and a simulated energy counter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from statistics import median
from typing import Any

import torch
from torch.nn import functional

from labkit.checks.expect import Expect

__all__ = ["CASES"]

Answer = Callable[..., Any]

OUTPUT = "an input of height h has an output of height (h + 2 · padding − kh) // stride + 1"
PRODUCTS = "each output value sums in · kh · kw products; count the output values of all channels"
LINEAR = "each of the `out` values sums `in` products; the bias is added, not multiplied"
ORDER = "the clock must see this batch whole, and nothing else: when is the device known to be idle?"
QUARTILES = "the interquartile range is the third quartile minus the first"
RANKS = "a hit means that the label is among the k largest logits; return hits in per cent of all rows"
COUNTER = (
    "how far did the counter move, also if it passed 0 on the way? In millijoules, for one of the batches"
)
STATEMENTS = (
    "more_weights_more_macs",
    "zeros_lower_the_macs",
    "unsynchronized_looks_faster",
    "an_outlier_moves_the_mean_more",
    "twice_the_batch_twice_the_peak",
    "a_counter_sees_only_this_process",
)


def macs(expect: Expect, convolution: Answer, linear: Answer) -> None:
    """06.1: compare with the number of output values that PyTorch computes."""
    for shape, height, width, stride, padding, why in (
        ((64, 3, 3, 3), 32, 32, 1, 1, "VGG16's first convolution: 32 · 32 · 64 · 3 · 3 · 3"),
        ((16, 8, 1, 1), 5, 5, 1, 0, "a 1 × 1 kernel: one product per input channel"),
        ((4, 2, 3, 3), 8, 8, 1, 0, "without padding the map shrinks by the kernel's size minus 1"),
        ((4, 2, 3, 3), 8, 8, 2, 1, "stride 2: half as many positions in each direction"),
        ((5, 3, 3, 3), 7, 10, 3, 0, "positions that do not fit are dropped, never rounded up"),
        ((6, 1, 5, 3), 9, 4, 1, 1, "kernel and map need not be square"),
        ((2, 7, 4, 4), 4, 4, 1, 0, "a kernel as large as the map: one position"),
    ):
        x = torch.empty(1, shape[1], height, width, device="meta")
        out = functional.conv2d(x, torch.empty(shape, device="meta"), stride=stride, padding=padding)
        expected = out.numel() * shape[1] * shape[2] * shape[3]
        case = expect.given(
            f"weight {shape}, a map of {height} × {width}, stride {stride}, padding {padding}"
        )
        hint = f"{why}; {OUTPUT}; {PRODUCTS}"
        got = case.call(convolution, shape, height, width, stride, padding, hint=hint)
        case.equal(got, expected, hint=hint)
        whole = isinstance(got, Integral)  # NumPy's integers too
        case.true(whole, expected="an int", got=got, hint="whole numbers only: use //")
    for pair, expected in (((512, 512), 262144), ((10, 512), 5120), ((1, 1), 1), ((7, 3), 21)):
        got = expect.given(f"weight {pair}").call(linear, pair, hint=LINEAR)
        expect.given(f"a linear layer's weight {pair}").equal(got, expected, hint=LINEAR)


class _Device:
    """A simulated asynchronous device: ``run`` returns at once, ``synchronize`` waits for the work."""

    def __init__(self, seconds: Sequence[float], *, pending: float = 0.0, now: float = 50.0) -> None:
        self.seconds, self.pending, self.now = list(seconds), pending, now
        self.runs = 0

    def run(self) -> None:
        """Start the next batch."""
        self.pending += self.seconds[min(self.runs, len(self.seconds) - 1)]
        self.runs += 1

    def synchronize(self) -> None:
        """Wait for everything that was started."""
        self.now += self.pending
        self.pending = 0.0

    def clock(self) -> float:
        """Return the time in seconds."""
        return self.now


def latency(expect: Expect, answer: Answer) -> None:
    """06.2: a simulated device and clock make the right numbers known."""
    for warmup, times, pending, why in (
        (0, [0.25], 0.0, "one batch of 250 ms: no spread"),
        (
            2,
            [8.0, 4.0, 0.5, 0.5, 0.5],
            0.0,
            "the first 2 batches are warm-up: run them without timing them",
        ),
        (1, [2.0, 0.25, 0.5, 0.75, 1.0, 8.0], 0.0, "one batch was delayed: the median hardly changes"),
        (
            0,
            [0.25, 0.5, 1.0, 2.0],
            0.0,
            "for an even number of batches the median is the mean of the middle two",
        ),
        (0, [0.5, 0.5], 16.0, "other work was still running: synchronize before the first reading too"),
        (3, [1.0] * 9, 2.0, "every batch takes the same time"),
    ):
        device = _Device(times, pending=pending)
        batches = len(times) - warmup
        case = expect.given(f"warmup {warmup}, batches {batches}; the batches take {times} s")
        hint = f"{why}; {ORDER}"
        calls = (device.run, device.synchronize, device.clock, warmup, batches)
        got = case.call(answer, *calls, hint=hint)
        runs = f"run called {len(times)} times"
        case.true(device.runs == len(times), expected=runs, got=device.runs, hint=ORDER)
        pair = isinstance(got, tuple) and len(got) == 2
        case.true(pair, expected="(median_ms, iqr_ms)", got=got, hint="return two numbers")
        timed = [1000 * seconds for seconds in times[warmup:]]
        expect.given(f"median_ms, {case}").close(got[0], median(timed), hint=hint, atol=1e-6)
        spread = _quantile(timed, 0.75) - _quantile(timed, 0.25)
        expect.given(f"iqr_ms, {case}").close(got[1], spread, hint=f"{QUARTILES}; {hint}", atol=1e-6)


def top_k(expect: Expect, answer: Answer) -> None:
    """06.3: compare with each label's rank, counted class by class."""
    generator = torch.Generator().manual_seed(6)
    ties = torch.tensor([[1.0, 2.0, 2.0, 0.0], [3.0, 3.0, 3.0, 3.0], [0.0, 0.0, 1.0, 0.0]])
    for logits, labels, k, why in (
        (torch.tensor([[0.1, 0.9], [0.8, 0.2]]), [1, 1], 1, "one of two is right: 50 per cent"),
        (torch.tensor([[0.6, 0.4], [0.7, 0.3]]), [0, 0], 1, "both are right: 100 per cent"),
        (torch.randn(40, 12, generator=generator), None, 1, RANKS),
        (torch.randn(40, 12, generator=generator), None, 5, RANKS),
        (torch.randn(9, 100, generator=generator).double(), None, 30, RANKS),
        (-torch.rand(8, 5, generator=generator), None, 2, "logits may all be negative"),
        (torch.randn(6, 3, generator=generator), None, 3, "k = all classes: every label is a hit"),
        (ties, [2, 1, 0], 1, "of equal logits the class with the lower number comes first"),
        (ties, [2, 1, 0], 2, "of equal logits the class with the lower number comes first"),
        (torch.randn(1, 4, generator=generator), [3], 2, "a single image"),
    ):
        n, classes = logits.shape
        targets = labels or torch.randint(classes, (n,), generator=generator).tolist()
        case = expect.given(f"logits of shape ({n}, {classes}), labels {targets[:6]}…, k = {k}")
        hits = sum(_rank(row, label) < k for row, label in zip(logits.tolist(), targets, strict=True))
        got = case.call(answer, logits.clone(), torch.tensor(targets), k, hint=why)
        case.close(got, 100 * hits / n, hint=why, atol=1e-4)


def energy(expect: Expect, answer: Answer) -> None:
    """06.4: compare with a simulated counter that wraps around at its range."""
    for before, spent, range_uj, batches, why in (
        (1000, 5000, 10**9, 1, "5000 µJ are 5 mJ"),
        (0, 12_000_000, 10**9, 8, "divide by the batches"),
        (990, 40, 1000, 1, "the counter wrapped around: from 990 to 999, to 0, and on to 30"),
        (
            262_143_328_849,
            2_000_001,
            262_143_328_850,
            4,
            "the counter starts at its last value before it wraps around",
        ),
        (500, 0, 1000, 2, "nothing was spent"),
        (3, 996, 1000, 3, "the counter reaches its last value and does not wrap around"),
    ):
        after = (before + spent) % range_uj
        case = expect.given(f"before {before}, after {after}, range {range_uj}, {batches} batches")
        got = case.call(answer, before, after, range_uj, batches, hint=COUNTER)
        case.close(got, spent / 1000 / batches, hint=f"{why}; {COUNTER}")


def concept_answers(expect: Expect, answer: Answer) -> None:
    """06.5: each statement has the answer True or False; grading tells whether it is right."""
    expect.verdicts(answer, STATEMENTS)


def _quantile(values: Sequence[float], share: float) -> float:
    """Return the quantile, interpolated linearly between neighbouring values."""
    ranked = sorted(values)
    position = share * (len(ranked) - 1)
    low = int(position)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (position - low) * (ranked[high] - ranked[low])


def _rank(logits: Sequence[float], label: int) -> int:
    """Count the classes before the label: those of larger logit, and of equal logit and lower number."""
    larger = sum(value > logits[label] for value in logits)
    return larger + sum(value == logits[label] for value in logits[:label])


HINTS = {
    "06.2": "First run the warm-up batches. Then for each timed batch: synchronize, read the clock, run, "
    "synchronize, read the clock; the difference is its time. np.quantile(seconds, (0.25, 0.5, 0.75)) gives "
    "the quartiles.",
    "06.4": "The counter moved by after − before, plus range_uj if that is negative: Python's "
    "(after − before) % range_uj is both in one. Divide by 1000 and by the batches.",
}
CASES: dict[str, Callable[..., None]] = {
    "06.1": macs,
    "06.2": latency,
    "06.3": top_k,
    "06.4": energy,
    "06.5": concept_answers,
}

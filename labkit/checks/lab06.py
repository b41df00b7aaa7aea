"""Visible checks of lab 06: multiply-accumulates, latency, top-k accuracy, energy, and the profiler.

The oracles are output shapes that PyTorch computes on the meta device, a simulated device and clock,
ranks counted class by class, a simulated energy counter, events that were made up, the averages that
torch.profiler computes of a real recording, and memory held microsecond by microsecond.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from labkit.checks.expect import Expect

__all__ = ["CASES", "nested_events"]

Answer = Callable[..., Any]

OUTPUT = "an input of height h has an output of height (h + 2 · padding − kh) // stride + 1"
PRODUCTS = "each output value sums in · kh · kw products; count the output values of all channels"
LINEAR = "each of the `out` values sums `in` products; the bias is added, not multiplied"
ORDER = "the clock must see this batch whole, and nothing else: when is the device known to be idle?"
QUARTILES = "the interquartile range is the third quartile minus the first"
RANKS = "a hit means that the label is among the k largest logits; return hits in per cent of all rows"
COUNTER = "add up how far the counter moved from each reading to the next, also where it passed 0"
IDLE = "subtract what the idle machine would have taken in the seconds in which the batches ran"
SELF = "self time is an event's own duration without those of its cpu_children"
GROUP = "one row per name: count the events and add up their self times"
OPERATORS = 'only names with "::" are operators'
HELD = "what is held after a change is the sum of all changes up to it"
EACH = "the second number is the mean of what is held after each change"
LONG = "the third number counts what is held for as long as it is held, up to the last change"
STATEMENTS = (
    "more_weights_more_macs",
    "zeros_lower_the_macs",
    "two_synchronizations_give_the_mean",
    "an_outlier_moves_the_mean_more",
    "twice_the_batch_twice_the_peak",
    "guessing_scores_50_in_the_top_5",
    "loading_outlasts_a_batch",
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
    """06.4: compare with a simulated counter that starts again at 0 when it reaches its range."""
    for idle, idle_s, busy, busy_s, range_uj, batches, why in (
        ([0, 0], 1.0, [5000], 1.0, 10**9, 1, "a counter that rests when idle; 5000 µJ are 5 mJ"),
        ([0, 0], 1.0, [9000, 3000], 2.0, 10**9, 8, "divide by the batches"),
        ([0, 1000], 2.0, [2000, 2000], 2.0, 10**9, 1, IDLE),
        ([0, 1000], 2.0, [2000, 3000], 4.0, 10**9, 2, f"{IDLE}; the two phases differ in length"),
        (
            [990, 0],
            1.0,
            [40],
            1.0,
            1000,
            1,
            "the counter started again: from 990 to 999, to 0, and on to 30",
        ),
        ([0, 700, 700], 2.0, [900, 900, 900], 2.0, 1000, 1, "the counter passed 0 more than once"),
        ([262_143_328_800, 20], 1.0, [40, 2_000_001], 1.0, 262_143_328_850, 4, COUNTER),
        ([5, 3000], 1.0, [2000, 998], 1.0, 5000, 1, "less than idle: noise may make the result negative"),
    ):
        readings = [idle[0]]
        for step in [*idle[1:], *busy]:
            readings.append((readings[-1] + step) % range_uj)
        idle_uj, busy_uj = readings[: len(idle)], readings[len(idle) - 1 :]
        case = expect.given(
            f"idle {idle_uj} in {idle_s} s, busy {busy_uj} in {busy_s} s, range {range_uj}, {batches} batches"
        )
        above = sum(busy) - sum(idle[1:]) * busy_s / idle_s
        inputs = (list(idle_uj), idle_s, list(busy_uj), busy_s, range_uj, batches)
        got = case.call(answer, *inputs, hint=f"{why}; {COUNTER}")
        case.close(got, above / 1000 / batches, hint=f"{why}; {COUNTER}", atol=1e-6)


@dataclass(frozen=True)
class _Interval:
    """Start and end in microseconds, as the profiler's ``time_range``."""

    start: float
    end: float

    def elapsed_us(self) -> float:
        """Return the duration."""
        return self.end - self.start


@dataclass(eq=False)
class _Event:
    """One call of an operator with the attributes of a profiler's event that this lab may need."""

    name: str
    time_range: _Interval
    cpu_parent: _Event | None = None
    cpu_children: list[_Event] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The name."""
        return self.name

    @property
    def cpu_time_total(self) -> float:
        """The duration in microseconds."""
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self) -> float:
        """The duration without the children's, in microseconds."""
        return self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)


Call = tuple[str, float, float, "Sequence[Call]"]


def nested_events(calls: Sequence[Call], parent: _Event | None = None) -> list[_Event]:
    """Return made-up events in the order in which they start, as ``events()`` of a recording does.

    Args:
        calls: (name, start and end in microseconds, the calls inside).
        parent: the event inside which these calls happen.
    """
    events = []
    for name, start, end, inside in calls:
        event = _Event(name, _Interval(start, end), parent)
        children = nested_events(inside, event)
        event.cpu_children += [child for child in children if child.cpu_parent is event]
        events += [event, *children]
    return events


def operators(expect: Expect, answer: Answer) -> None:
    """06.7: made-up events with known self times, and a recording that torch.profiler sums up itself."""
    addmm: Call = ("aten::addmm", 20.0, 80.0, [("aten::copy_", 30.0, 40.0, [])])
    linear: Call = ("aten::linear", 0.0, 100.0, [addmm])
    relu: Call = ("aten::relu", 110.0, 130.0, [])
    for calls, expected, why in (
        ([relu], {"aten::relu": (1, 20.0)}, "one call: all of the time is its own"),
        ([("aten::mul", 3.0, 10.0, [])], {"aten::mul": (1, 7.0)}, "one call: all of the time is its own"),
        (
            [linear],
            {"aten::addmm": (1, 50.0), "aten::linear": (1, 40.0), "aten::copy_": (1, 10.0)},
            f"{SELF}, each child once: what is inside a child is already in the child's duration",
        ),
        (
            [linear, relu, ("aten::relu", 200.0, 270.0, [])],
            {
                "aten::relu": (2, 90.0),
                "aten::addmm": (1, 50.0),
                "aten::linear": (1, 40.0),
                "aten::copy_": (1, 10.0),
            },
            GROUP,
        ),
        (
            [relu, ("[memory]", 140.0, 140.0, []), ("cudaLaunchKernel", 150.0, 155.0, [])],
            {"aten::relu": (1, 20.0)},
            OPERATORS,
        ),
        (
            [("aten::mul", 0.0, 5.0, []), ("aten::add", 5.0, 10.0, []), ("own::fast", 20.0, 30.0, [])],
            {"own::fast": (1, 10.0), "aten::add": (1, 5.0), "aten::mul": (1, 5.0)},
            "the longest first, equal self times in the order of the names",
        ),
    ):
        events = nested_events(calls)
        shown = [(e.name, e.time_range.start, e.time_range.end) for e in events]
        _compare_table(expect, answer, events, expected, f"events (name, start, end) {shown}", why)
    recording = _recording()
    expected = {
        entry.key: (entry.count, entry.self_cpu_time_total)
        for entry in recording.key_averages()
        if "::" in entry.key
    }
    text = "events() of a recording of Linear, ReLU, Linear"
    _compare_table(expect, answer, recording.events(), expected, text, f"{SELF}; {GROUP}; {OPERATORS}")


def _compare_table(
    expect: Expect,
    answer: Answer,
    events: Sequence[Any],
    expected: dict[str, tuple[int, float]],
    text: str,
    why: str,
) -> None:
    """Compare an answer's rows (name, calls, self ms, share) with calls and self time in µs by name."""
    case = expect.given(text)
    got = case.call(answer, events, hint=why)
    rows = [tuple(row) for row in got] if isinstance(got, list) else got
    shape = isinstance(rows, list) and all(len(row) == 4 for row in rows)
    case.true(shape, expected="a list of (name, calls, self_ms, share)", got=got, hint=why)
    total = sum(self_us for _, self_us in expected.values())
    order = sorted(expected, key=lambda name: (-round(expected[name][1], 6), name))
    names = expect.given(f"the names, {text}")
    names.true(
        [row[0] for row in rows] == order, expected=str(order), got=[row[0] for row in rows], hint=why
    )
    # One case per column: how many operators a recording holds depends on the processor.
    hint = f"{why}; self times in milliseconds, 1 ms is 1000 µs; the share is that of all self times, in %"
    by_column = zip(*rows, strict=True) if rows else ((), (), (), ())
    _, calls, self_ms, shares = map(list, by_column)
    counts, micros = [expected[name][0] for name in order], [expected[name][1] for name in order]
    expect.given(f"calls of {order}, {text}").equal(calls, counts, hint=hint)
    expect.given(f"self ms of {order}, {text}").close(
        self_ms, [us / 1000 for us in micros], hint=hint, atol=1e-6
    )
    expect.given(f"shares of {order}, {text}").close(
        shares, [100 * us / total for us in micros], hint=hint, atol=1e-3
    )


def _recording() -> torch.profiler.profile:
    """Record a small network of which the operators are known."""
    # subtle: the profiler's own log would stand among the check's output.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    network = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4)).eval()
    x = torch.ones(3, 6)
    with torch.inference_mode():
        network(x)
        with torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
        ) as recording:
            network(x)
    return recording


def memory(expect: Expect, answer: Answer) -> None:
    """06.8: compare with the memory held in each microsecond."""
    for changes, why in (
        ([(0, 100), (10, 300), (30, -300), (40, -100)], HELD),
        ([(5, 100), (10, 50), (20, -150)], "the first change need not be at time 0"),
        ([(0, 8), (1, 8), (2, 8), (3, 8), (10, -32)], LONG),
        ([(0, 1000), (90, 24), (91, -24), (92, 24), (93, -24), (100, -1000)], EACH),
        ([(0, 500), (4, -500), (6, 200), (8, -200)], "nothing is held for a while"),
        ([(3, 700), (7, -200)], "something may be left at the end"),
    ):
        case = expect.given(f"changes {changes}")
        hint = f"{why}; {HELD}"
        got = case.call(answer, list(changes), hint=hint)
        shape = isinstance(got, tuple) and len(got) == 3
        case.true(shape, expected="(peak, mean over changes, mean over time)", got=got, hint="return three")
        held = [sum(size for when, size in changes if when <= moment) for moment, _ in changes]
        moments = range(changes[0][0], changes[-1][0])
        lasting = [sum(size for when, size in changes if when <= moment) for moment in moments]
        for name, value, expected, reason in (
            ("peak", got[0], max(held), HELD),
            ("mean over the changes", got[1], sum(held) / len(held), EACH),
            ("mean over time", got[2], sum(lasting) / len(lasting), LONG),
        ):
            expect.given(f"{name}, {case}").close(value, expected, hint=f"{reason}; {why}", atol=1e-6)


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
    "06.4": "From a reading a to the next one b the counter moved by (b - a) % range_uj: Python's % adds the "
    "range where b - a is negative. itertools.pairwise(readings) gives the neighbours. The idle machine takes "
    "spent(idle_uj) / idle_s microjoules per second.",
    "06.7": "Go through the events once and keep, by name, a count and a sum of time_range.end - "
    "time_range.start less the same of each of cpu_children. sorted(rows, key=lambda row: (-row[2], row[0])).",
    "06.8": "itertools.accumulate(size for _, size in changes) gives what is held after each change. For the "
    "last number multiply it by the time to the next change, and divide by the time from first to last.",
}
CASES: dict[str, Callable[..., None]] = {
    "06.1": macs,
    "06.2": latency,
    "06.3": top_k,
    "06.4": energy,
    "06.5": concept_answers,
    "06.7": operators,
    "06.8": memory,
}

"""Latency of a batch: warm-up, synchronization, the median and the interquartile range.

Only the network is timed; loading and normalizing images are not.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from labkit.models import evaluation_mode

__all__ = [
    "Latency",
    "interleaved_times_ms",
    "layer_times_ms",
    "measure_latencies",
    "measure_latency",
    "ratio_quartiles",
    "synchronize",
]

Key = TypeVar("Key", bound=Hashable)
QUARTILES = (0.25, 0.5, 0.75)


class Latency(NamedTuple):
    """Milliseconds per batch: the median, and the third quartile minus the first."""

    median_ms: float
    iqr_ms: float


def measure_latency(
    run: Callable[[], object],
    *,
    device: torch.device | str = "cpu",
    warmup: int = 3,
    batches: int = 15,
    clock: Callable[[], float] = time.perf_counter,
) -> Latency:
    """Time repeated runs of one batch.

    The first ``warmup`` runs are not timed: they allocate memory, choose kernels and fill caches. The
    device is synchronized before each reading of the clock, since a call to a GPU returns before its
    work is done.

    Args:
        run: the work of one batch.
        device: the device it runs on.
        warmup: runs that are not timed.
        batches: runs that are timed, at least 1.
        clock: returns seconds.

    Raises:
        ValueError: if ``batches`` is less than 1 or ``warmup`` less than 0.

    >>> ticks = iter([0.0, 0.25, 1.0, 1.75, 2.0, 2.5])
    >>> measure_latency(lambda: None, warmup=1, batches=3, clock=lambda: next(ticks)).median_ms
    500.0
    """
    return measure_latencies({"run": run}, device=device, warmup=warmup, batches=batches, clock=clock)[
        "run"
    ]


def measure_latencies(
    runs: Mapping[Key, Callable[[], object]],
    *,
    device: torch.device | str = "cpu",
    warmup: int = 3,
    batches: int = 15,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Key, Latency]:
    """Time several runs in turn and return the median and the interquartile range of each.

    Args:
        runs: the work of one batch, by name.
        device, warmup, batches, clock: as for :func:`measure_latency`.

    Raises:
        ValueError: if ``batches`` is less than 1 or ``warmup`` less than 0.
    """
    times_ms = interleaved_times_ms(runs, device=device, warmup=warmup, batches=batches, clock=clock)
    quartiles = {name: np.quantile(times, QUARTILES) for name, times in times_ms.items()}
    return {
        name: Latency(float(middle), float(third - first))
        for name, (first, middle, third) in quartiles.items()
    }


def interleaved_times_ms(
    runs: Mapping[Key, Callable[[], object]],
    *,
    device: torch.device | str = "cpu",
    warmup: int = 3,
    batches: int = 15,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Key, list[float]]:
    """Time several runs in turn, A B C A B C …, so a busy moment of the machine affects all of them.

    If each were timed as a whole, one could meet a quiet minute and the next a busy one. The times at one
    place of the lists were taken in one turn, so two runs are compared by the median of their ratios.

    Args:
        runs: the work of one batch, by name.
        device, warmup, batches, clock: as for :func:`measure_latency`.

    Returns:
        ``batches`` times in milliseconds for each name.

    Raises:
        ValueError: if ``batches`` is less than 1 or ``warmup`` less than 0.
    """
    _require_counts(warmup, batches)
    times_ms: dict[Key, list[float]] = {name: [] for name in runs}
    for turn in range(warmup + batches):
        for name, run in runs.items():
            if turn < warmup:
                run()
                continue
            synchronize(device)
            start = clock()
            run()
            synchronize(device)
            times_ms[name].append(1000 * (clock() - start))
    return times_ms


def ratio_quartiles(times_ms: Sequence[float], reference_ms: Sequence[float]) -> tuple[float, float, float]:
    """Return first quartile, median and third quartile of the ratios of two lists of times, turn by turn.

    Args:
        times_ms: of :func:`interleaved_times_ms`, one per turn.
        reference_ms: likewise, of the run that the ratios are divided by, from the same turns.

    Raises:
        ValueError: if the lists differ in length or are empty.

    >>> ratio_quartiles([2.0, 3.0, 8.0], [1.0, 1.0, 2.0])
    (2.5, 3.0, 3.5)
    """
    if not 0 < len(times_ms) == len(reference_ms):
        raise ValueError(
            f"expected as many times of the same turns, got {len(times_ms)} and {len(reference_ms)}."
        )
    first, median, third = np.quantile(np.divide(times_ms, reference_ms), QUARTILES).tolist()
    return first, median, third


def layer_times_ms(
    model: nn.Module,
    x: Tensor,
    *,
    warmup: int = 2,
    batches: int = 7,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Return the median milliseconds of each layer per pass on the batch ``x``, in the order of the calls.

    A layer is a module without others inside, except parametrizations of its own weights. Its calls within
    a pass add up; a pass that does not call it counts as 0, and a layer that no pass calls is left out. The
    device is synchronized around every layer, so the layers of a GPU do not overlap, and their sum exceeds
    the latency of the whole network.

    Args:
        model: evaluated, and left in the mode it was in.
        x: an input of the model, on its device.
        warmup: passes that are not timed.
        batches: passes that are timed, at least 1.
        clock: returns seconds.

    Raises:
        ValueError: if ``batches`` is less than 1 or ``warmup`` less than 0.
    """
    _require_counts(warmup, batches)
    passes: list[defaultdict[str, float]] = []  # seconds of each layer
    starts: dict[str, float] = {}

    def watch(name: str, layer: nn.Module) -> list[torch.utils.hooks.RemovableHandle]:
        def begin(module: nn.Module, inputs: object) -> None:
            del module, inputs
            synchronize(x.device)
            starts[name] = clock()

        def end(module: nn.Module, inputs: object, output: object) -> None:
            del module, inputs, output
            synchronize(x.device)
            passes[-1][name] += clock() - starts[name]

        return [layer.register_forward_pre_hook(begin), layer.register_forward_hook(end)]

    hooks = [hook for name, layer in _leaves(model) for hook in watch(name, layer)]
    try:
        with evaluation_mode(model), torch.inference_mode():
            for _ in range(warmup + batches):
                passes.append(defaultdict(float))
                model(x)
    finally:
        for hook in hooks:
            hook.remove()
    called = dict.fromkeys(name for seconds in passes for name in seconds)
    return {
        name: 1000 * float(np.median([seconds[name] for seconds in passes[warmup:]])) for name in called
    }


def synchronize(device: torch.device | str) -> None:
    """Wait until the device has finished its work; calls to the CPU are already finished."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _require_counts(warmup: int, batches: int) -> None:
    """Refuse numbers of passes with which nothing is timed."""
    if batches < 1 or warmup < 0:
        raise ValueError(f"latency needs batches ≥ 1 and warmup ≥ 0, got {batches} and {warmup}.")


def _leaves(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules that have no others inside but parametrizations, with their names."""
    inner = {
        module
        for layer in model.modules()
        if parametrize.is_parametrized(layer)
        for module in layer.parametrizations.modules()  # type: ignore[union-attr]
    }
    for name, module in model.named_modules():
        if module not in inner and inner.issuperset(module.children()):
            yield name, module

"""The memory of a forward pass, followed by torch.profiler allocation by allocation.

Counts what torch's allocator gives out; leaves out what libraries allocate by themselves (oneDNN's
and cuDNN's scratch space outside that allocator), the Python process and the CUDA context.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from labkit.models import evaluation_mode

__all__ = ["Memory", "measure_memory", "peak_and_average_bytes"]


class Memory(NamedTuple):
    """Bytes: what is there before the pass, and what the pass adds at its peak and on average.

    ``resident`` are parameters, buffers and the input; ``average`` is weighted by time.
    """

    resident: int
    peak: int
    average: float


def measure_memory(model: nn.Module, x: Tensor) -> Memory:
    """Memory of one evaluation of ``model`` on the batch ``x``, on the device that they are on.

    The second of two passes is measured, so that one-time allocations do not count.

    Args:
        model: is evaluated, and left in the mode it was in.
        x: ``(n, …)``, on the model's device.
    """
    with evaluation_mode(model), torch.inference_mode():
        model(x)
        peak, average = peak_and_average_bytes(lambda: model(x), x.device)
    resident = [*model.parameters(), *model.buffers(), x]
    return Memory(sum(_bytes(tensor) for tensor in resident), peak, average)


def peak_and_average_bytes(
    run: Callable[[], object], device: torch.device | str = "cpu"
) -> tuple[int, float]:
    """Peak and time-weighted average of the bytes that ``run`` holds in torch's allocator.

    Args:
        run: what is watched.
        device: whose memory.

    >>> peak_and_average_bytes(lambda: torch.zeros(1000))[0]
    4000
    """
    # subtle: kineto writes notes to stderr, into a notebook, unless told before it starts.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from torch.profiler import ProfilerActivity, profile

    kind = torch.device(device).type
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (kind == "cuda")
    with profile(activities=activities, profile_memory=True) as watched:
        run()
    assert watched.profiler is not None
    results = watched.profiler.kineto_results
    events = [
        (event.start_ns(), event.nbytes())
        for event in results.events()
        if event.name() == "[memory]" and event.device_type().name.lower() == kind
    ]
    return _peak_and_average(sorted(events, key=lambda event: event[0]))


def _peak_and_average(events: Sequence[tuple[int, int]]) -> tuple[int, float]:
    """Of (time, bytes allocated or freed) in the order of time; (0, 0.0) without events."""
    held = peak = 0
    area = 0.0
    for place, (moment, change) in enumerate(events):
        held += change
        peak = max(peak, held)
        following = events[place + 1][0] if place + 1 < len(events) else moment
        area += held * (following - moment)
    duration = events[-1][0] - events[0][0] if events else 0
    return peak, area / duration if duration else float(peak)


def _bytes(tensor: Tensor) -> int:
    """Bytes of a tensor's numbers, and of the indices if it is sparse."""
    if tensor.is_sparse:
        found = tensor.detach().coalesce()
        return found.indices().nbytes + found.values().nbytes
    return tensor.nbytes

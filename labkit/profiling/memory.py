"""The memory of a forward pass, from torch.profiler's record of every allocation.

Only torch's allocator is counted, not what libraries allocate themselves (scratch space of oneDNN and
cuDNN), nor the Python process and the CUDA context.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from labkit.models import evaluation_mode
from labkit.profiling.operators import record

if TYPE_CHECKING:
    from torch.profiler import profile as Recording

__all__ = ["Memory", "measure_memory", "peak_and_average_bytes"]

DEVICE_TYPES = {"cpu": 0, "cuda": 1}  # as the profiler's trace numbers them


class Memory(NamedTuple):
    """Bytes that are allocated before a pass, and bytes that the pass adds, at its peak and on average.

    ``resident`` are parameters, buffers and the input; ``average`` is weighted by time.
    """

    resident: int
    peak: int
    average: float


def measure_memory(model: nn.Module, x: Tensor) -> Memory:
    """Measure the memory of one evaluation of ``model`` on the batch ``x``, on their device.

    The second of two passes is measured, so one-time allocations do not count.

    Args:
        model: evaluated, and left in the mode it was in.
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
    """Return peak and time-weighted average of the bytes that ``run`` holds in torch's allocator.

    Args:
        run: the work to measure.
        device: the device whose memory is measured.

    >>> peak_and_average_bytes(lambda: torch.zeros(1000))[0]
    4000
    """
    recording = record(run, device=device, memory=True)
    return _peak_and_average(_memory_events(recording, torch.device(device).type))


def _memory_events(recording: Recording, kind: str) -> list[tuple[float, int]]:
    """Return (time in µs, bytes allocated or freed) of a device by time, read from the exported trace.

    The recording's list of events has an operator's allocations as one sum, in which what it frees itself
    cancels; only the trace has each of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        recording.export_chrome_trace(str(path))
        trace = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    number = DEVICE_TYPES[kind]
    events = [
        (float(event["ts"]), int(event["args"]["Bytes"]))
        for event in trace["traceEvents"]
        if event.get("name") == "[memory]" and event["args"]["Device Type"] == number
    ]
    return sorted(events, key=lambda event: event[0])


def _peak_and_average(events: Sequence[tuple[float, int]]) -> tuple[int, float]:
    """Return peak and average from (time, bytes allocated or freed) by time; (0, 0.0) without events."""
    held = peak = 0
    area = 0.0
    for index, (time, change) in enumerate(events):
        held += change
        peak = max(peak, held)
        following = events[index + 1][0] if index + 1 < len(events) else time
        area += held * (following - time)
    duration = events[-1][0] - events[0][0] if events else 0
    return peak, area / duration if duration else float(peak)


def _bytes(tensor: Tensor) -> int:
    """Return the bytes of a tensor's values, and of its indices if it is sparse."""
    if tensor.is_sparse:
        coordinates = tensor.detach().coalesce()
        return coordinates.indices().nbytes + coordinates.values().nbytes
    return tensor.nbytes

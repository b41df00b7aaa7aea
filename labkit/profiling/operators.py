"""Which operators a run calls, how often, and how long each takes, from torch.profiler.

An operator is PyTorch's unit of work, such as ``aten::addmm``; a layer calls several, one inside the
other. Self time is the time inside an operator without the operators that it calls, so self times add up
to the whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch.profiler import profile as Recording

__all__ = ["OperatorTime", "operator_table", "record"]


@dataclass(frozen=True)
class OperatorTime:
    """An operator by its name, how often it was called, and the milliseconds of self time of all calls."""

    name: str
    calls: int
    self_ms: float


def operator_table(
    run: Callable[[], object], *, device: torch.device | str = "cpu", warmup: int = 1
) -> list[OperatorTime]:
    """Return the operators that one run calls, the longest self time first.

    Operators of equal time are in the order of their names. Only operators are listed (``aten::mm``, or
    another library's ``library::name``), neither the profiler's own entries nor annotations.

    Args:
        run: the work to record, called ``warmup + 1`` times; wrap a forward pass in
            ``torch.inference_mode()`` to leave autograd's bookkeeping out.
        device: on a GPU the self time is that of the kernels that an operator started there.
        warmup: runs before the one that is recorded.

    >>> [entry.name for entry in operator_table(lambda: torch.ones(2, 3).mm(torch.ones(3, 2)))
    ...     if entry.name == "aten::mm"]
    ['aten::mm']
    """
    for _ in range(warmup):
        run()
    on_gpu = torch.device(device).type == "cuda"
    entries = [
        OperatorTime(
            entry.key,
            entry.count,
            (entry.self_device_time_total if on_gpu else entry.self_cpu_time_total) / 1000,
        )
        for entry in record(run, device=device).key_averages()
        if "::" in entry.key and entry.device_type.name == "CPU"
    ]
    return sorted(entries, key=lambda entry: (-entry.self_ms, entry.name))


def record(
    run: Callable[[], object], *, device: torch.device | str = "cpu", memory: bool = False
) -> Recording:
    """Call ``run`` once under torch.profiler and return the finished recording.

    Args:
        run: the work to record.
        device: a GPU's activities are recorded beside the processor's.
        memory: record every allocation too.
    """
    # subtle: kineto logs to stderr, which a notebook shows, unless this is set before it starts.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from torch.profiler import ProfilerActivity, profile

    kind = torch.device(device).type
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (kind == "cuda")
    with profile(activities=activities, profile_memory=memory) as recording:
        run()
        if kind == "cuda":
            torch.cuda.synchronize(device)
    return recording

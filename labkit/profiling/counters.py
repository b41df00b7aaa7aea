"""Traces of energy counters: readings while the machine idles, then while batches run.

A counter adds up the energy of everything that runs, so the idle power is to be subtracted; and it starts
again at 0 when it reaches its range, so it is to be read more often than that happens. Where no counter can
be read, :func:`synthetic_traces` are numbers to compute with. They were made up, not measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from labkit.profiling.energy import GPU_DOMAIN, open_counters

__all__ = ["CounterTrace", "record_traces", "synthetic_traces"]

NEVER_REACHED_UJ = 10**15  # NVML counts in 64 bits


@dataclass(frozen=True)
class CounterTrace:
    """Readings of one counter in microjoules, each kind at least two, in the order of time.

    Attributes:
        domain: what the counter covers, such as ``package_0``.
        idle_s, busy_s: seconds from the first to the last reading, while idle and while batches ran.
        idle_uj, busy_uj: the readings.
        range_uj: a reading is from 0 to this number less 1; then the counter starts again at 0.
        batches: how many batches ran between the first and the last reading of ``busy_uj``.
        synthetic: the numbers were made up, nothing was measured.
    """

    domain: str
    idle_s: float
    idle_uj: tuple[int, ...]
    busy_s: float
    busy_uj: tuple[int, ...]
    range_uj: int
    batches: int
    synthetic: bool = False


def record_traces(
    run: Callable[[], object],
    *,
    seconds: float = 2.0,
    readings: int = 10,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], object] = time.sleep,
) -> list[CounterTrace]:
    """Read every counter that the machine exposes, idle for some seconds and then running batches.

    Args:
        run: the work of one batch; it must return only when the work is done (synchronize a GPU).
        seconds: minimum duration of each phase.
        readings: intervals of each phase.
        clock, sleep: return seconds, and wait for seconds.

    Returns:
        One trace per domain; none if no counter can be read (:func:`measure_energy` says why).
    """
    counters, _ = open_counters()
    if not counters:
        return []
    ranges = _rapl_ranges()
    phases: list[tuple[float, list[dict[str, int]]]] = []
    batches = 0
    for busy in (False, True):
        start = clock()
        seen = [{domain: read() for domain, read in counters.items()}]
        for interval in range(1, readings + 1):
            end = start + seconds * interval / readings
            if not busy:
                sleep(max(0.0, end - clock()))
            else:
                run()
                batches += 1
                while clock() < end:
                    run()
                    batches += 1
            seen.append({domain: read() for domain, read in counters.items()})
        phases.append((clock() - start, seen))
    (idle_s, idle), (busy_s, busy_readings) = phases
    return [
        CounterTrace(
            domain,
            idle_s,
            tuple(values[domain] for values in idle),
            busy_s,
            tuple(values[domain] for values in busy_readings),
            NEVER_REACHED_UJ if domain.startswith(GPU_DOMAIN) else ranges[domain],
            batches,
        )
        for domain in counters
        if domain.startswith(GPU_DOMAIN) or domain in ranges
    ]


def synthetic_traces() -> list[CounterTrace]:
    """Return traces that were made up, as of 400 batches in 4.4 s on a laptop with a GPU.

    Nobody measured them, so they say nothing about a network. The package's counter has a range of 65.5 J
    and passes 0; the board's has none.
    """
    return [
        _made_up("package_0", idle_watts=6.0, busy_watts=21.0, start_uj=50_000_000, range_uj=65_532_610),
        _made_up("dram_0", idle_watts=1.5, busy_watts=3.0, start_uj=61_000_000, range_uj=65_532_610),
        _made_up(
            "nvidia_gpu_0",
            idle_watts=11.0,
            busy_watts=64.0,
            start_uj=7_351_000_000,
            range_uj=NEVER_REACHED_UJ,
        ),
    ]


def _made_up(
    domain: str, *, idle_watts: float, busy_watts: float, start_uj: int, range_uj: int
) -> CounterTrace:
    """Return a trace of constant power, up to a ripple of 3 %, read 11 times per phase."""
    seconds, intervals = (4.0, 4.4), 10
    energies = [
        round(1e6 * watts * duration / intervals * (1.03 if interval % 2 else 0.97))
        for watts, duration in zip((idle_watts, busy_watts), seconds, strict=True)
        for interval in range(intervals)
    ]
    readings = [value % range_uj for value in accumulate(energies, initial=start_uj)]
    idle, busy = readings[: intervals + 1], readings[intervals:]
    return CounterTrace(domain, seconds[0], tuple(idle), seconds[1], tuple(busy), range_uj, 400, True)


def _rapl_ranges() -> dict[str, int]:
    """Return the range of each of RAPL's counters, by domain as pyJoules names it (``dram_0``)."""
    from pyJoules.device import rapl_device

    ranges = {}
    for file in Path(rapl_device.RAPL_API_DIR).glob("**/max_energy_range_uj"):
        name = (file.parent / "name").read_text(encoding="ascii").strip()
        socket = file.parent.name.split(":")[1]
        domain = "package" if name.startswith("package") else name
        ranges[f"{domain}_{socket}"] = int(file.read_text(encoding="ascii")) + 1
    return ranges

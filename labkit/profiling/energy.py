"""Energy per batch from the machine's counters, read by pyJoules.

Intel's RAPL counts the processor's package, cores and memory (dram), NVIDIA's NVML the whole board.
A counter covers everything that runs on the machine, not only this process. A domain that the machine
does not expose is reported as "not measurable: …" with the reason, never estimated. The idle power is
part of the numbers; see :mod:`labkit.profiling.counters` for traces from which it can be subtracted.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["GPU_DOMAIN", "measure_energy", "open_counters"]

RAPL_DOMAINS = ("package", "core", "dram")
GPU_DOMAIN = "nvidia_gpu"
NOT_MEASURABLE = "not measurable: "
MICROJOULES = 1e-3  # in millijoules: RAPL's unit; NVML counts in millijoules


def measure_energy(
    run: Callable[[], object],
    *,
    batches: int = 10,
    seconds: float = 0.5,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float | str]:
    """Measure millijoules per batch in every domain that the machine exposes.

    Args:
        run: the work of one batch; it must return only when the work is done (synchronize a GPU).
        batches: minimum number of runs; nothing runs if no domain is measurable.
        seconds: minimum duration: counters advance in steps, NVML's of about 0.1 s.
        clock: returns seconds.

    Returns:
        By domain: ``package_0``, ``core_0``, ``dram_0``, ``nvidia_gpu_0``, … a number, or
        ``"not measurable: <reason>"``; a kind of domain that is absent has no number in its name.
    """
    meters, reasons = _open_domains()
    if not meters:
        return reasons
    from pyJoules.energy_meter import EnergyMeter

    meter = EnergyMeter(list(meters.values()))
    _quietly(meter.start)
    start, count = clock(), 0
    while count < batches or clock() - start < seconds:
        run()
        count += 1
    _quietly(meter.stop)
    total = meter.get_trace()[0].energy
    return {**{domain: _per_batch(domain, total[domain], count) for domain in meters}, **reasons}


def open_counters() -> tuple[dict[str, Callable[[], int]], dict[str, float | str]]:
    """Return a function per domain that reads its counter in microjoules, and why the others have none."""
    devices, reasons = _open_domains()

    def reader(domain: str, device: Any) -> Callable[[], int]:
        unit = 1000 if domain.startswith(GPU_DOMAIN) else 1

        def read() -> int:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)  # pyJoules leaves its files open
                (value,) = device.get_energy()
            return round(value * unit)

        return read

    return {domain: reader(domain, device) for domain, device in devices.items()}, reasons


def _open_domains() -> tuple[dict[str, Any], dict[str, float | str]]:
    """Return a pyJoules device for each readable domain, and the reason for each other one."""
    from pyJoules.device import DeviceFactory

    devices, reasons = {}, {}
    for domain, reason in [*_rapl_domains(), *_gpu_domains()]:
        if reason is None:
            try:
                (devices[str(domain)],) = DeviceFactory.create_devices([domain])
                _quietly(devices[str(domain)].get_energy)
            except Exception as error:  # subtle: NVML's errors share no class with the others
                devices.pop(str(domain), None)
                reason = _reason(error)
        if reason is not None:
            reasons[str(domain)] = NOT_MEASURABLE + reason
    return devices, dict(reasons)


def _rapl_domains() -> Iterator[tuple[Any, str | None]]:
    """Yield the processor's domains, then the kinds of domain that are missing, with the reason."""
    from pyJoules.device import rapl_device
    from pyJoules.exception import NoSuchDeviceError

    try:
        domains = rapl_device.RaplDevice.available_domains()
        missing = "the machine's RAPL has no such domain"
    except NoSuchDeviceError:
        domains, missing = [], f"no powercap tree ({rapl_device.RAPL_API_DIR})"
    except OSError as error:
        domains, missing = [], _reason(error)
    kinds = {domain.get_domain_name() for domain in domains}
    yield from ((domain, None) for domain in domains)
    yield from ((kind, missing) for kind in RAPL_DOMAINS if kind not in kinds)


def _gpu_domains() -> Iterator[tuple[Any, str | None]]:
    """Yield the NVIDIA boards, or the reason why there is none."""
    from pyJoules.exception import NoSuchDeviceError

    try:
        from pyJoules.device.nvidia_device import NvidiaGPUDevice

        domains = NvidiaGPUDevice.available_domains()
    except ImportError:
        yield GPU_DOMAIN, "no NVML (the package nvidia-ml-py is not installed)"
    except NoSuchDeviceError as error:
        yield GPU_DOMAIN, f"no NVML ({error.__context__})"
    else:
        yield from ((domain, None) for domain in domains)
        if not domains:
            yield GPU_DOMAIN, "NVML finds no GPU"


def _per_batch(domain: str, total: float, count: int) -> float | str:
    """Return millijoules per batch; a counter that went backwards has overflowed."""
    if total < 0:
        return f"{NOT_MEASURABLE}the counter overflowed meanwhile, measure again"
    return total * (1.0 if domain.startswith(GPU_DOMAIN) else MICROJOULES) / count


def _reason(error: Exception) -> str:
    """Say in a few words why a counter cannot be read."""
    if isinstance(error, PermissionError):
        return f"no permission to read {error.filename}"
    return str(error) or type(error).__name__


def _quietly(read: Callable[[], object]) -> None:
    """Read counters without the ResourceWarning of pyJoules, which does not close its files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        read()

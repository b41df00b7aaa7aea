"""Examine the computer and the workbook's folder, and say how to fix what does not work.

A finding is "ok", "warn" (the labs work, but something else does not) or "fail" (the labs do not work).
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Literal, NamedTuple

from labkit import settings
from labkit.files import digest
from labkit.manifest import manifest_paths, parse_manifest

__all__ = ["Finding", "examine"]

MIN_PYTHON = (3, 11)
# The packages that a lab imports or runs in; most other pins of constraints.txt are their dependencies.
NEEDED = (
    "torch",
    "torchvision",
    "numpy",
    "matplotlib",
    "scikit-learn",
    "jupyterlab",
    "nbclient",
    "nbformat",
)
MIN_DISK_BYTES, GOOD_DISK_BYTES = 200_000_000, 2_000_000_000
MIN_MEMORY_BYTES, GOOD_MEMORY_BYTES = 1_000_000_000, 3_000_000_000
CACHED = tuple(f"photo{name}.safetensors" for name in ("digits10", "digits100", "letters52"))
CIFAR_HOST = ("www.cs.toronto.edu", 443)
NETWORK_SECONDS = 2.0
KERNEL_SECONDS = 60.0
# Works on every system, with or without make.
INSTALL = f"in the workbook's folder, run: {sys.executable} -m pip install -c constraints.txt -e ."
POWERCAP = Path("/sys/class/powercap")

State = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """One result of the examination, and how to fix it."""

    state: State
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.state:5}{self.what}" + (f"\n     -> {self.remedy}" if self.remedy else "")


def examine() -> Iterator[Finding]:
    """Yield every finding as soon as it is known.

    A probe that fails itself becomes a warning, so the examination never ends early.
    """
    for probe in PROBES:
        try:
            yield from probe()
        except Exception as error:  # whatever is unusual about this computer, the other probes run
            name = probe.__name__.strip("_")
            yield Finding("warn", f"{name}: could not be examined ({type(error).__name__}: {error})")


def _versions() -> Iterator[Finding]:
    """Compare Python and the packages with constraints.txt."""
    python_version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < MIN_PYTHON:
        yield Finding(
            "fail", f"Python {python_version}", "install Python 3.11 or newer and create .venv with it"
        )
    else:
        yield Finding("ok", f"Python {python_version}")
    pins = _pins(settings.home() / "constraints.txt")
    missing = [name for name in NEEDED if _installed(name) is None]
    different = [
        f"{name} {version} (recorded with {pins[name]})"
        for name in sorted(pins)
        if (version := _installed(name)) is not None
        and version.partition("+")[0] != pins[name].partition("+")[0]
    ]
    if missing:
        yield Finding("fail", f"packages missing: {', '.join(missing)}", INSTALL)
    elif different:
        listed = ", ".join(different[:4])
        rest = f" and {len(different) - 4} more" if len(different) > 4 else ""
        remedy = f"results may differ slightly; {INSTALL}"
        yield Finding("warn", f"versions differ from constraints.txt: {listed}{rest}", remedy)
    else:
        yield Finding("ok", f"packages as in constraints.txt ({len(pins)} pins)")


def _data() -> Iterator[Finding]:
    """Examine the cache of data sets."""
    folder = settings.data_dir()
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        yield Finding(
            "fail", f"{folder} is not writable", f"make it writable, such as by chmod u+w {folder}"
        )
        return
    cached = [name for name in CACHED if (folder / name).is_file()]
    if (folder / "cifar-10-batches-py").is_dir():
        cached.append("CIFAR-10")
    yield Finding("ok", f"data: {', '.join(cached) or 'nothing cached yet; a lab builds it in seconds'}")


def _checkpoints() -> Iterator[Finding]:
    """Compare every checkpoint with its manifest."""
    manifests = manifest_paths(settings.checkpoint_dir())
    if not manifests:
        remedy = "unpack checkpoints/ again"
        yield Finding("warn", "there are no checkpoints, so each lab trains for minutes", remedy)
    for manifest in manifests:
        try:
            entries = parse_manifest(manifest.read_bytes()).values()
        except ValueError as error:
            yield Finding("fail", f"{manifest} is damaged ({error})", "unpack checkpoints/ again")
            continue
        hashes = {entry.file: entry.sha256 for entry in entries if entry.shipped}
        bad = [name for name, recorded in hashes.items() if _digest(manifest.with_name(name)) != recorded]
        if bad:
            remedy = "unpack checkpoints/ again, or `labkit train NAME`"
            yield Finding("fail", f"{manifest.parent.name}: missing or damaged: {', '.join(bad)}", remedy)
        else:
            yield Finding("ok", f"{manifest.parent.name}: {len(hashes)} checkpoints match their hashes")


def _disk() -> Iterator[Finding]:
    """Examine the free space on the disk."""
    free = shutil.disk_usage(settings.home()).free
    remedy = "free some space for data and reports"
    yield _amount("free disk space", free, MIN_DISK_BYTES, GOOD_DISK_BYTES, remedy)


def _memory() -> Iterator[Finding]:
    """Examine the memory that is available without swapping."""
    import psutil

    available = psutil.virtual_memory().available
    remedy = "close other programs and kernels; a lab needs about 1.5 GB"
    yield _amount("available memory", available, MIN_MEMORY_BYTES, GOOD_MEMORY_BYTES, remedy)


def _kernel() -> Iterator[Finding]:
    """Start a kernel and let it compute a sum."""
    from nbformat.v4 import new_code_cell

    from labkit.course.notebook.execution import execute_cells

    failures = execute_cells([new_code_cell("1 + 1")], settings.home(), limit_s=KERNEL_SECONDS)
    for failure in failures.values():
        yield Finding("fail", f"a kernel does not work: {failure}", INSTALL)
    if not failures:
        yield Finding("ok", "a kernel starts and computes")


def _gpu() -> Iterator[Finding]:
    """Name the GPU."""
    import torch

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "none; the labs do not need one"
    yield Finding("ok", f"GPU: {name}")


def _energy() -> Iterator[Finding]:
    """Examine whether the energy that the processor uses can be measured."""
    counters = sorted(POWERCAP.glob("*/energy_uj")) if POWERCAP.is_dir() else []
    if not counters:
        reason = "has no energy domains" if POWERCAP.is_dir() else "does not exist"
        yield Finding(
            "warn",
            f"energy: {POWERCAP} {reason} (this may be a virtual machine or not Linux)",
            "nothing needs to be done: labs report that energy cannot be measured, with this reason",
        )
        return
    readable = [counter for counter in counters if os.access(counter, os.R_OK)]
    if not readable:
        remedy = (
            f"an administrator may allow it by chmod o+r {POWERCAP}/*/energy_uj; "
            "otherwise labs report that energy cannot be measured"
        )
        yield Finding("warn", f"energy: only root can read the {len(counters)} domains", remedy)
    else:
        yield Finding("ok", f"energy: {len(readable)} of {len(counters)} domains can be read")


def _bubblewrap() -> Iterator[Finding]:
    """Look for bubblewrap."""
    state = "is installed" if shutil.which("bwrap") else "is not installed"
    yield Finding("ok", f"bubblewrap {state} (needed only for grading, to sandbox submissions)")


def _network() -> Iterator[Finding]:
    """Try to reach the host of CIFAR; being offline is not a problem.

    A thread does it, since resolving the name alone may take half a minute.
    """
    answers: Queue[str] = Queue()
    Thread(target=_connect, args=(answers,), daemon=True).start()
    try:
        problem = answers.get(timeout=NETWORK_SECONDS)
    except Empty:
        problem = f"no answer from {CIFAR_HOST[0]} within {NETWORK_SECONDS:g} s"
    offline = f"offline ({problem}): everything works except downloading CIFAR"
    yield Finding("ok", offline if problem else "online: CIFAR can be downloaded")


def _connect(answers: Queue[str]) -> None:
    """Put the reason why the host cannot be reached, or an empty string if it can."""
    try:
        socket.create_connection(CIFAR_HOST, timeout=NETWORK_SECONDS).close()
        answers.put("")
    except OSError as error:
        answers.put(str(error))


def _amount(what: str, amount_bytes: int, min_bytes: int, good_bytes: int, remedy: str) -> Finding:
    """Return a finding about an amount of memory or disk space."""
    state: State = "ok" if amount_bytes >= good_bytes else "warn" if amount_bytes >= min_bytes else "fail"
    return Finding(state, f"{what}: {amount_bytes / 1e9:.1f} GB", "" if state == "ok" else remedy)


def _pins(path: Path) -> dict[str, str]:
    """Return the versions in a constraints file by package name."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return dict(re.findall(r"^([\w.-]+)==([^\s;#]+)", text, re.MULTILINE))


def _installed(name: str) -> str | None:
    """Return the version of a package, or None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _digest(path: Path) -> str | None:
    """Return the SHA-256 of a file, or None if it does not exist."""
    return digest(path.read_bytes()) if path.is_file() else None


PROBES: tuple[Callable[[], Iterator[Finding]], ...]
PROBES = (_versions, _data, _checkpoints, _disk, _memory, _kernel, _gpu, _energy, _bubblewrap, _network)

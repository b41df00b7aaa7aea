"""Look at the computer and the folder: what works, what does not, and what to do about it.

A finding is "ok", "warn" (the labs work, something does not) or "fail" (the labs do not work).
Leaves out: mending anything.
"""

from __future__ import annotations

import json
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
from typing import NamedTuple

from labkit import settings
from labkit.files import digest

__all__ = ["Finding", "examine"]

MIN_PYTHON = (3, 11)
# What a lab imports or runs in; the other pins of constraints.txt belong to them.
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
CACHED = ("photodigits10.safetensors", "photodigits100.safetensors")
CIFAR_HOST = ("www.cs.toronto.edu", 443)
TIMEOUT_S = 2.0
KERNEL_SECONDS = 60.0
# The same on every system, with or without make.
INSTALL = f"in the workbook's folder, run: {sys.executable} -m pip install -c constraints.txt -e ."
POWERCAP = Path("/sys/class/powercap")


class Finding(NamedTuple):
    """One line of the report."""

    state: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.state:5}{self.what}" + (f"\n     -> {self.remedy}" if self.remedy else "")


def examine() -> Iterator[Finding]:
    """Every finding, one after the other as each is made.

    A look that itself breaks is a warning: the doctor never ends early.
    """
    for look in LOOKS:
        try:
            yield from look()
        except Exception as error:  # whatever is odd about this computer, the other looks are made
            name = look.__name__.strip("_")
            yield Finding("warn", f"{name}: could not look ({type(error).__name__}: {error})")


def _versions() -> Iterator[Finding]:
    """Python and the packages against constraints.txt."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < MIN_PYTHON:
        yield Finding("fail", f"Python {version}", "install Python 3.11 or newer and make .venv with it")
    else:
        yield Finding("ok", f"Python {version}")
    pins = _pins(settings.home() / "constraints.txt")
    missing = [name for name in NEEDED if _installed(name) is None]
    other = [
        f"{name} {found} (recorded with {pins[name]})"
        for name in sorted(pins)
        if (found := _installed(name)) is not None
        and found.partition("+")[0] != pins[name].partition("+")[0]
    ]
    if missing:
        yield Finding("fail", f"packages missing: {', '.join(missing)}", INSTALL)
    elif other:
        shown = ", ".join(other[:4]) + (f" and {len(other) - 4} more" if len(other) > 4 else "")
        yield Finding("warn", f"other versions: {shown}", f"results may differ a little; {INSTALL}")
    else:
        yield Finding("ok", f"packages as in constraints.txt ({len(pins)} pins)")


def _data() -> Iterator[Finding]:
    """The data cache."""
    folder = settings.data_dir()
    found = [name for name in CACHED if (folder / name).is_file()]
    cifar = (folder / "cifar-10-batches-py").is_dir()
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        yield Finding("fail", f"{folder} cannot be written", "give yourself the right to write there")
        return
    have = ", ".join([*found, *(["CIFAR-10"] if cifar else [])])
    yield Finding("ok", f"data: {have or 'nothing cached yet; built in seconds when a lab asks'}")


def _checkpoints() -> Iterator[Finding]:
    """Every checkpoint against its manifest."""
    manifests = sorted(settings.checkpoint_dir().glob("*/manifest.json"))
    if not manifests:
        yield Finding("warn", "no checkpoints: labs train for minutes each", "unpack checkpoints/ again")
    for manifest in manifests:
        try:
            entries = json.loads(manifest.read_text(encoding="utf-8"))
            wanted = {
                settings.checkpoint_file(name, entry): entry["sha256"] for name, entry in entries.items()
            }
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            yield Finding("fail", f"{manifest} is damaged ({error})", "unpack checkpoints/ again")
            continue
        bad = [name for name, recorded in wanted.items() if _digest(manifest.with_name(name)) != recorded]
        if bad:
            remedy = "unpack checkpoints/ again, or `labkit train NAME`"
            yield Finding("fail", f"{manifest.parent.name}: missing or damaged: {', '.join(bad)}", remedy)
        else:
            yield Finding("ok", f"{manifest.parent.name}: {len(wanted)} checkpoints match their hashes")


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(settings.home()).free
    yield _amount(
        "disk free", free, MIN_DISK_BYTES, GOOD_DISK_BYTES, "free some space, for data and reports"
    )


def _memory() -> Iterator[Finding]:
    import psutil

    remedy = "close other programs and kernels; a lab needs about 1.5 GB"
    yield _amount(
        "memory available", psutil.virtual_memory().available, MIN_MEMORY_BYTES, GOOD_MEMORY_BYTES, remedy
    )


def _kernel() -> Iterator[Finding]:
    """Start a kernel and let it add."""
    from nbformat.v4 import new_code_cell

    from labkit.course.notebook.execution import execute_cells

    failures = execute_cells([new_code_cell("1 + 1")], settings.home(), limit_s=KERNEL_SECONDS)
    for failure in failures.values():
        yield Finding("fail", f"a kernel does not work: {failure}", INSTALL)
    if not failures:
        yield Finding("ok", "a kernel starts and computes")


def _gpu() -> Iterator[Finding]:
    import torch

    found = torch.cuda.get_device_name() if torch.cuda.is_available() else "none; the labs do not need one"
    yield Finding("ok", f"GPU: {found}")


def _energy() -> Iterator[Finding]:
    """Whether the energy that the processor uses can be measured."""
    counters = sorted(POWERCAP.glob("*/energy_uj")) if POWERCAP.is_dir() else []
    if not counters:
        why = "has no energy domains" if POWERCAP.is_dir() else "is not there"
        yield Finding(
            "warn",
            f"energy: {POWERCAP} {why} (a virtual machine, or not Linux)",
            "nothing to do: labs report energy as not measurable, with this reason",
        )
        return
    readable = [counter for counter in counters if os.access(counter, os.R_OK)]
    if not readable:
        remedy = f"an administrator may allow it: chmod o+r {POWERCAP}/*/energy_uj; else labs report energy as not measurable"
        yield Finding("warn", f"energy: {len(counters)} domains, readable by root only", remedy)
    else:
        yield Finding("ok", f"energy: {len(readable)} of {len(counters)} domains can be read")


def _bubblewrap() -> Iterator[Finding]:
    found = "bubblewrap is there" if shutil.which("bwrap") else "no bubblewrap"
    yield Finding("ok", f"{found} (needed only for grading, to sandbox submissions)")


def _network() -> Iterator[Finding]:
    """A short try, resolver included, which alone may take half a minute; being offline is fine."""
    answers: Queue[str] = Queue()
    Thread(target=_connect, args=(answers,), daemon=True).start()
    try:
        problem = answers.get(timeout=TIMEOUT_S)
    except Empty:
        problem = f"no answer from {CIFAR_HOST[0]} in {TIMEOUT_S:g} s"
    offline = f"offline ({problem}): everything works but downloading CIFAR"
    yield Finding("ok", offline if problem else "online: CIFAR can be downloaded")


def _connect(answers: Queue[str]) -> None:
    """Put what keeps the host from being reached, or an empty text."""
    try:
        socket.create_connection(CIFAR_HOST, timeout=TIMEOUT_S).close()
        answers.put("")
    except OSError as error:
        answers.put(str(error))


def _amount(what: str, found: int, least: int, good: int, remedy: str) -> Finding:
    """A finding about an amount of bytes."""
    state = "ok" if found >= good else "warn" if found >= least else "fail"
    return Finding(state, f"{what}: {found / 1e9:.1f} GB", "" if state == "ok" else remedy)


def _pins(path: Path) -> dict[str, str]:
    """The versions in a constraints file."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return dict(re.findall(r"^([\w.-]+)==([^\s;#]+)", text, re.MULTILINE))


def _installed(name: str) -> str | None:
    """The version of a package; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _digest(path: Path) -> str | None:
    """SHA-256 of a file; None if it is not there."""
    return digest(path.read_bytes()) if path.is_file() else None


LOOKS: tuple[Callable[[], Iterator[Finding]], ...]
LOOKS = (_versions, _data, _checkpoints, _disk, _memory, _kernel, _gpu, _energy, _bubblewrap, _network)

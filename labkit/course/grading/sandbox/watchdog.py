"""Watch what runs in a box, whatever it sends: time, memory, files and processes of the whole family.

The kernel limits each process (:mod:`labkit.course.grading.sandbox.runner`), and with bubblewrap the
number of processes; it limits all of them together only in a control group. This thread adds them up.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from labkit.course.grading.sandbox.limits import Limits

__all__ = ["Watchdog", "descendants"]

POLL_SECONDS = 0.1
FOLDERS_IN_MEMORY = ("/tmp", "/dev/shm")  # of a box of bubblewrap


class Watchdog:
    """A thread that ends a process, and with it its box, as soon as a limit is exceeded.

    Attributes:
        deadline: when the box ends, by ``time.monotonic``; it may be moved while the thread runs.
        overrun: the limit that was exceeded, or None.
    """

    def __init__(
        self, pid: int, limits: Limits, *, deadline: float, confined: bool, end: Callable[[], None]
    ) -> None:
        self.pid, self.limits, self.confined, self.end = pid, limits, confined, end
        self.deadline = deadline
        self.overrun: str | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            try:
                self.overrun = self._excess()
            except Exception as error:  # what cannot be watched must not go on
                self.overrun = f"the watchdog failed: {error}"
            if self.overrun is not None:
                self.end()
                return

    def _excess(self) -> str | None:
        """The limit that is exceeded now, if one is."""
        if time.monotonic() > self.deadline:
            return "not finished within its time"
        limits, family = self.limits, descendants(self.pid)
        if len(family) > limits.processes:
            return f"more than {limits.processes} processes"
        free = limits.memory_bytes - (0 if self.confined else sum(_unmapped_bytes(family)))
        # subtle: forked processes share pages; only what each has of its own, and its share, counts.
        if all(sum(_bytes(process, kind) for process in family) > free for kind in ("rss", "pss")):
            return f"more than {limits.memory_bytes / 1e9:g} GB of memory"
        if self.confined and family and _number_of_files(family[-1].pid) > limits.files:
            return f"more than {limits.files} files"
        return None


def descendants(pid: int) -> list[psutil.Process]:
    """All descendants of a process, parents first."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _bytes(process: psutil.Process, kind: str) -> int:
    """The resident memory of a process, or its share of it; 0 if it has ended."""
    try:
        if kind == "pss":
            with contextlib.suppress(psutil.AccessDenied, AttributeError):  # a process can forbid it
                return int(process.memory_full_info().pss)
        return int(process.memory_info().rss)
    except (psutil.Error, OSError):
        return 0


def _number_of_files(pid: int) -> int:
    """The files in the folders in memory that a process sees."""
    used = 0
    for folder in FOLDERS_IN_MEMORY:
        with contextlib.suppress(OSError):
            inside = Path(f"/proc/{pid}/root{folder}")
            if inside.stat().st_dev != Path(folder).stat().st_dev:  # the box is set up
                state = os.statvfs(inside)
                used += state.f_files - state.f_ffree
    return used


def _unmapped_bytes(family: Sequence[psutil.Process]) -> Iterator[int]:
    """The sizes of the files in memory that have no name (memfd) and that the processes hold open."""
    counted = set[tuple[int, int]]()
    for process in family:
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    state = descriptor.stat()
                    if not str(descriptor.readlink()).startswith("/memfd:"):
                        continue
                    if (state.st_dev, state.st_ino) not in counted:
                        counted.add((state.st_dev, state.st_ino))
                        yield state.st_blocks * 512

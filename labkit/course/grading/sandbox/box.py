"""Run student code in a sandbox: resource limits, a temporary folder and guaranteed termination.

With bubblewrap the program has no network, sees only the system, Python's environment and labkit,
all read-only, and cannot outlive the box. Without bubblewrap the limits and the termination protect
against accidents, not against intent: see :data:`UNPROTECTED`. The program inside is
:mod:`labkit.course.grading.sandbox.runner`.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import psutil

from labkit.course.grading.sandbox.bubblewrap import HOME, bubblewrap, why_no_bubblewrap

__all__ = ["SANDBOXES", "UNPROTECTED", "Backend", "Box", "Limits", "Overrun", "choose_backend"]

Backend = Literal["bwrap", "none"]
SANDBOXES = ("auto", "bwrap", "none")
UNPROTECTED = (
    "no bubblewrap: submissions can read every file that you can read (the solutions, other "
    "submissions, your keys), write and delete what you can, use the network, and leave processes "
    "behind. Limits of time, memory and output hold. Grade as a user that owns nothing, or install "
    "bubblewrap (Linux), or grade in a virtual machine."
)
POLL_SECONDS = 0.1
MAX_LINE_BYTES = 8_000_000
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
TAG = "LABKIT_BOX"  # a process that carries this variable belongs to a box


@dataclass(frozen=True)
class Limits:
    """The resources that one exercise, and one whole lab, may use."""

    cpu_s: int = 30  # processor time of one exercise
    wall_s: float = 120.0  # of one cell
    lab_s: float = 1200.0  # of one lab
    memory_bytes: int = 4_000_000_000  # one process's own, and all processes together
    file_bytes: int = 64_000_000
    disk_bytes: int = 256_000_000  # bubblewrap only
    processes: int = 48
    output_chars: int = 100_000


class Overrun(Exception):
    """The program in the box exceeded a limit or ended; the message says which."""


def choose_backend(sandbox: str) -> Backend:
    """Return the backend that ``sandbox`` (``auto``, ``bwrap`` or ``none``) means on this machine.

    Raises:
        ValueError: if ``sandbox`` is unknown, or bubblewrap is asked for and does not work here.
    """
    if sandbox not in SANDBOXES:
        raise ValueError(f"sandbox must be one of {', '.join(SANDBOXES)}, got {sandbox!r}.")
    problem = None if sandbox == "none" else why_no_bubblewrap()
    if sandbox == "bwrap" and problem:
        raise ValueError(f"bubblewrap does not work here: {problem}; install it, or use --sandbox none.")
    return "none" if sandbox == "none" or problem else "bwrap"


class Box:
    """A running program that answers lines of JSON. Leaving the ``with`` block kills all its processes.

    Args:
        command: the program and its arguments.
        backend: ``bwrap`` or ``none``.
        limits: the resources it may use.
        concealed: folders that appear empty inside, even where they lie in a visible folder.
    """

    def __init__(
        self, command: Sequence[str], *, backend: Backend, limits: Limits, concealed: Sequence[Path] = ()
    ):
        self.limits = limits
        self.tag = uuid.uuid4().hex
        self.folder = Path(tempfile.mkdtemp(prefix="labkit-"))
        self.end = time.monotonic() + limits.lab_s
        inside = backend == "bwrap"
        self.confined = inside
        environment = _environment(HOME if inside else str(self.folder), self.tag)
        wrapped = [*bubblewrap(limits.disk_bytes, concealed), *command] if inside else list(command)
        self.process = subprocess.Popen(
            wrapped,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=environment,
            start_new_session=True,
        )
        self.pending = b""

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send a request and wait for its reply, watching time, memory and processes.

        Raises:
            Overrun: if a limit is exceeded or the program ends; the box cannot be used afterwards.
        """
        try:
            _pipe(self.process.stdin).write(json.dumps(request).encode() + b"\n")
            _pipe(self.process.stdin).flush()
        except OSError as error:
            raise Overrun("it ended its own process") from error
        try:
            reply = json.loads(self._line(min(time.monotonic() + seconds, self.end)))
        except (ValueError, RecursionError) as error:
            raise Overrun("it wrote into the grader's channel") from error
        if not isinstance(reply, dict):
            raise Overrun("it wrote into the grader's channel")
        return reply

    def close(self) -> None:
        """Kill everything that belongs to the box, and remove its folder."""
        for _ in range(20):
            left = [self.process] if self.process.poll() is None else []
            _kill(self.process.pid)
            strays = [] if self.confined else list(self._tagged())
            for stray in strays:
                _kill(stray.pid)
            if not left and not strays:
                break
            try:
                self.process.wait(0.5)
            except subprocess.TimeoutExpired:
                continue
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):  # what was not yet written has no reader
                _pipe(pipe).close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _line(self, end: float) -> bytes:
        """The next line of the program's output."""
        with selectors.DefaultSelector() as selector:
            selector.register(_pipe(self.process.stdout), selectors.EVENT_READ)
            while b"\n" not in self.pending:
                if time.monotonic() > end:
                    raise Overrun("not finished within its time")
                if selector.select(POLL_SECONDS):
                    piece = os.read(_pipe(self.process.stdout).fileno(), 1 << 16)
                    if not piece:
                        raise Overrun("it ended its own process")
                    self.pending += piece
                    if len(self.pending) > MAX_LINE_BYTES:
                        raise Overrun("more output than allowed")
                else:
                    self._watch()
        line, _, self.pending = self.pending.partition(b"\n")
        return line

    def _watch(self) -> None:
        """Raise Overrun if there are too many processes, or together they hold too much memory."""
        try:
            family = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.Error:
            return
        if len(family) > self.limits.processes:
            raise Overrun(f"more than {self.limits.processes} processes")
        if sum(_bytes(each, "rss") for each in family) <= self.limits.memory_bytes:
            return
        # subtle: forked processes share pages; only what each has of its own, and its share, counts.
        if sum(_bytes(each, "pss") for each in family) > self.limits.memory_bytes:
            raise Overrun(f"more than {self.limits.memory_bytes / 1e9:g} GB of memory")

    def _tagged(self) -> Iterator[psutil.Process]:
        """Processes that descend from the program, wherever they moved to."""
        for each in psutil.process_iter():
            try:
                if each.environ().get(TAG) == self.tag and each.status() != psutil.STATUS_ZOMBIE:
                    yield each
            except (psutil.Error, OSError):
                continue


def _bytes(process: psutil.Process, kind: str) -> int:
    try:
        return int(getattr(process.memory_info() if kind == "rss" else process.memory_full_info(), kind))
    except (psutil.Error, OSError, AttributeError):
        return 0


def _kill(pid: int) -> None:
    """Kill a process and its group."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            continue  # gone, or no leader of a group


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None, "both ends are pipes"
    return stream


def _environment(home: str, tag: str) -> dict[str, str]:
    """The program's whole environment: nothing of the grader's own."""
    fixed = {"PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "MPLBACKEND": "agg"}
    fixed |= {"HOME": home, "TMPDIR": home, "MPLCONFIGDIR": home, "PYTHONDONTWRITEBYTECODE": "1", TAG: tag}
    return fixed | dict.fromkeys(THREADS, "1")

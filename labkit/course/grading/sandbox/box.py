"""Run student code in a sandbox: resource limits, a temporary folder and guaranteed termination.

With bubblewrap the program has no network, sees only the system, Python's environment and labkit,
all read-only, and cannot outlive the box. Without bubblewrap the limits and the termination protect
against accidents, not against intent: see :data:`UNPROTECTED`. The program inside is
:mod:`labkit.course.grading.sandbox.runner`; :mod:`labkit.course.grading.sandbox.watchdog` ends a box
that exceeds its limits.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Literal, cast

import psutil

from labkit.course.grading.sandbox.bubblewrap import HOME, PATH, bubblewrap, open_filter, why_no_bubblewrap
from labkit.course.grading.sandbox.control_group import BUS_VARIABLES, scope, why_no_control_group
from labkit.course.grading.sandbox.folder import BoxFolder
from labkit.course.grading.sandbox.limits import Limits
from labkit.course.grading.sandbox.messages import Reply, Request
from labkit.course.grading.sandbox.watchdog import Watchdog, descendants

__all__ = ["SANDBOXES", "UNPROTECTED", "Backend", "Box", "Overrun", "choose_backend"]

Backend = Literal["bwrap", "none"]
SANDBOXES = ("auto", "bwrap", "none")
UNPROTECTED = (
    "without bubblewrap, submissions can read every file that you can read (the solutions, other "
    "submissions, your keys), write and delete what you can, use the network, and leave processes "
    "behind. Limits of time, memory and output hold against accidents. Grade as a user that owns "
    "nothing, or install bubblewrap (Linux), or grade in a virtual machine."
)
POLL_SECONDS = 0.1
MAX_LINE_BYTES = 8_000_000
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
MAX_ERROR_BYTES = 1000
KILL_ROUNDS = 20  # what forks while it is killed is killed in the next
TAG = "LABKIT_BOX"  # a process that carries this variable belongs to a box
# When memory runs out, the kernel ends what is in a box before the grader and everything else.
FIRST_TO_DIE = (
    "/bin/sh",
    "-c",
    'ulimit -c 0; echo 1000 2>/dev/null >/proc/self/oom_score_adj; exec "$@"',
    "sh",
)


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
        raise ValueError(
            f"--sandbox bwrap is refused, because bubblewrap does not work here: {problem}. Settle this, "
            "or grade in a virtual machine with --sandbox none."
        )
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
        self.folder = BoxFolder()
        self.end = time.monotonic() + limits.lab_s
        self.confined = backend == "bwrap"
        self.pending = b""
        self.answered = False
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        try:
            self.process = self._start(command, concealed)
        except BaseException:
            self.errors.close()
            self.folder.remove()
            raise
        self.watchdog = Watchdog(
            self.process.pid, limits, deadline=self.end, confined=self.confined, end=self._kill
        )

    def _start(self, command: Sequence[str], concealed: Sequence[Path]) -> subprocess.Popen[bytes]:
        """Start the program, in bubblewrap or as it is."""
        limits, inside = self.limits, self.confined
        environment = _environment(HOME if inside else str(self.folder.path), self.tag)
        group: list[str] = []
        if why_no_control_group() is None:  # files of a closed box lie in its memory
            group = scope(limits.memory_bytes + 2 * limits.disk_bytes, limits.tasks)
            environment |= {name: os.environ[name] for name in BUS_VARIABLES if name in os.environ}
        with open_filter() if inside else contextlib.nullcontext() as descriptor:
            wrapper: list[str] = []
            if descriptor is not None:
                wrapper = bubblewrap(limits.disk_bytes, descriptor, tasks=limits.tasks, concealed=concealed)
            return subprocess.Popen(
                [*FIRST_TO_DIE, *group, *wrapper, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                cwd=self.folder.path,
                env=environment,
                start_new_session=True,
                pass_fds=() if descriptor is None else (descriptor,),
            )

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, request: Request, seconds: float) -> Reply:
        """Send a request and wait for its reply.

        Raises:
            Overrun: if a limit is exceeded or the program ends; the box cannot be used afterwards.
        """
        self.watchdog.deadline = min(time.monotonic() + seconds, self.end)
        try:
            _pipe(self.process.stdin).write(json.dumps(request).encode() + b"\n")
            _pipe(self.process.stdin).flush()
            reply = json.loads(self._line())
        except OSError as error:
            raise Overrun(self._why_ended()) from error
        except (ValueError, RecursionError) as error:
            raise Overrun("it wrote into the grader's channel") from error
        if not isinstance(reply, dict):
            raise Overrun("it wrote into the grader's channel")
        self.answered = True
        self.watchdog.deadline = self.end
        return cast(Reply, reply)

    def close(self) -> None:
        """Kill everything that belongs to the box, and remove its folder."""
        self.watchdog.stop()
        for _ in range(KILL_ROUNDS):
            left = [self.process] if self.process.poll() is None else []
            self._kill()
            strays = [] if self.confined else list(self._tagged())
            for stray in strays:
                _kill(stray.pid)
            if not left and not strays:
                break
            try:
                self.process.wait(0.5)
            except subprocess.TimeoutExpired:
                continue
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            with contextlib.suppress(OSError):  # what was not yet written has no reader
                _pipe(stream).close()
        self.folder.remove()

    def _kill(self) -> None:
        """Kill the program and all its processes; those of a closed box end with it."""
        if not self.confined:
            with contextlib.suppress(OSError):
                os.kill(self.process.pid, signal.SIGSTOP)  # it collects orphans as long as it exists
            for _ in range(KILL_ROUNDS):
                family = [process for process in descendants(self.process.pid) if _is_running(process)]
                for process in family:
                    _kill(process.pid)
                if not family:
                    break
        _kill(self.process.pid)

    def _line(self) -> bytes:
        """The next line of the program's output. The watchdog ends the wait."""
        with selectors.DefaultSelector() as selector:
            selector.register(_pipe(self.process.stdout), selectors.EVENT_READ)
            while b"\n" not in self.pending:
                if self.watchdog.overrun is not None:
                    raise Overrun(self.watchdog.overrun)
                if not selector.select(POLL_SECONDS):
                    continue
                piece = os.read(_pipe(self.process.stdout).fileno(), 1 << 16)
                if not piece:
                    raise Overrun(self._why_ended())
                self.pending += piece
                if len(self.pending) > MAX_LINE_BYTES:
                    raise Overrun("more output than allowed")
        line, _, self.pending = self.pending.partition(b"\n")
        return line

    def _why_ended(self) -> str:
        """Why the program ended, in words."""
        if self.watchdog.overrun is not None:
            return self.watchdog.overrun
        if self.answered:
            return "it ended its own process"
        self.errors.seek(0)
        text = self.errors.read()[-MAX_ERROR_BYTES:].decode(errors="replace").strip()
        return f"it ended before its first answer: {text or 'without an error message'}"

    def _tagged(self) -> Iterator[psutil.Process]:
        """Processes that descend from the program, wherever they moved to."""
        for process in psutil.process_iter():
            try:
                if process.environ().get(TAG) == self.tag and _is_running(process):
                    yield process
            except (psutil.Error, OSError):
                continue


def _is_running(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


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
    fixed = {"PATH": PATH, "LANG": "C.UTF-8", "MPLBACKEND": "agg"}
    fixed |= {"HOME": home, "TMPDIR": home, "MPLCONFIGDIR": home, "PYTHONDONTWRITEBYTECODE": "1", TAG: tag}
    return fixed | dict.fromkeys(THREADS, "1")

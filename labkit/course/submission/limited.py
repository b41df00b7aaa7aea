"""Read a submission in a process of its own, which may take only so much time and memory.

The process runs no code of the student's. It opens archives and parses JSON, and both can be made to
take far more than an honest submission needs.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from labkit.course.notebook.lab_id import LabId
from labkit.course.submission.cells import read_cells
from labkit.course.submission.lab_match import assign_labs
from labkit.course.submission.read import Submission, read_submission

__all__ = ["read_within_limits"]

MAX_SECONDS = 60
MAX_BYTES = 2_000_000_000


def read_within_limits(path: Path, labs: Sequence[LabId]) -> Submission:
    """Read a submission and find the notebook of each lab in it.

    The notebooks that are returned have been parsed once, so parsing them again stays within the limits.

    Args:
        path: a folder, a zip or a notebook.
        labs: the labs to look for.

    Raises:
        ValueError: if it cannot be read, or takes more than 60 s or 2 GB of memory.
    """
    command = [sys.executable, "-P", "-m", "labkit.course.submission.limited"]
    request = pickle.dumps((path.absolute(), tuple(labs), MAX_SECONDS, MAX_BYTES))
    # subtle: a slow disk may take longer than the processor, whose time the process limits itself.
    try:
        done = subprocess.run(
            command, input=request, capture_output=True, timeout=2 * MAX_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(_too_much(f"{2 * MAX_SECONDS} s")) from error
    if done.returncode == -getattr(signal, "SIGXCPU", 0):
        raise ValueError(_too_much(f"{MAX_SECONDS} s"))
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"status {done.returncode}"]
        raise ValueError(f"reading it failed: {lines[-1][:200]}")
    reply = pickle.loads(done.stdout)  # of our own process, which runs nobody else's code
    if isinstance(reply, str):
        raise ValueError(reply)
    assert isinstance(reply, Submission), "the process replies with a submission or a message"
    return reply


def _too_much(what: str) -> str:
    return f"reading it takes more than {what}; submit only the notebooks, without their outputs"


def _read(path: Path, labs: Sequence[LabId], max_bytes: int) -> Submission | str:
    """The submission, or why it cannot be read."""
    try:
        submission = assign_labs(read_submission(path), labs)
        for content in submission.notebooks.values():
            read_cells(content, [])
    except (ValueError, OSError) as error:
        return str(error)
    except MemoryError:
        return _too_much(f"{max_bytes / 10**9:g} GB of memory")
    return submission


def _main() -> None:
    """Read the submission that standard input names, and write it to standard output."""
    path, labs, max_seconds, max_bytes = pickle.load(sys.stdin.buffer)
    with contextlib.suppress(ImportError, ValueError, OSError):  # absent on Windows, partial on macOS
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (max_seconds, max_seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))
    sys.stdout.buffer.write(pickle.dumps(_read(path, labs, max_bytes)))


if __name__ == "__main__":
    _main()

"""Isolate a program with bubblewrap: an unprivileged user without capabilities, a read-only system, no network.

Only the folders listed here are visible inside; the labs and the submissions are not. The program is
the first process of its own process namespace. A filter refuses system calls that it does not need
(:mod:`labkit.course.grading.sandbox.system_calls`). Limits of time and memory are in
:mod:`labkit.course.grading.sandbox.box`.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import labkit
from labkit.course.grading.sandbox.system_calls import MACHINES, seccomp_filter

__all__ = ["HOME", "PATH", "bubblewrap", "open_filter", "why_no_bubblewrap"]

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix")
CONFIGURATION = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
)
PATH = f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin"  # in the box, and to find bubblewrap
HOME = "/tmp/home"  # inside; files there are in memory
NOBODY = "65534"  # the user, outside, of a box that root starts
USER_INSIDE = "1000"
TASKS_PER_NAMESPACE = (5, 14)  # the first Linux that counts a user's tasks for each user namespace


@cache
def why_no_bubblewrap() -> str | None:
    """The reason why bubblewrap cannot close a box on this machine; None if it can.

    Raises:
        RuntimeError: if bubblewrap does not answer within five minutes. A busy machine must not be
            mistaken for one without a sandbox.
    """
    if shutil.which("bwrap", path=PATH) is None:
        return "the program bwrap is not installed"
    if platform.machine() not in MACHINES:
        return (
            f"its system calls cannot be restricted on {platform.machine()}, only on {', '.join(MACHINES)}"
        )
    try:
        with open_filter() as descriptor:
            command = bubblewrap(1_000_000, descriptor, tasks=64)
            tried = subprocess.run(
                [*command, sys.executable, "-I", "-m", "labkit.course.grading.sandbox.openings"],
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
                pass_fds=[descriptor],
                env={"PATH": PATH},
            )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(
            "bubblewrap does not answer within five minutes; try again when the machine is less busy."
        ) from error
    except OSError as error:
        return str(error)
    if tried.returncode != 0:
        return tried.stderr.strip()[-300:] or "it ended with an error"
    return f"its box is not closed: {', '.join(tried.stdout.splitlines())}" if tried.stdout else None


@contextmanager
def open_filter() -> Iterator[int]:
    """A descriptor from which bubblewrap reads the filter of system calls."""
    with tempfile.TemporaryFile() as file:
        file.write(seccomp_filter(platform.machine()))
        file.flush()
        file.seek(0)
        yield file.fileno()


def bubblewrap(
    disk_bytes: int, filter_descriptor: int, *, tasks: int, concealed: Sequence[Path] = ()
) -> list[str]:
    """Return the command ``bwrap`` with its options: own namespaces, read-only system, files in memory.

    Args:
        disk_bytes: the most that may be written to ``/tmp``, and to ``/dev/shm``.
        filter_descriptor: from :func:`open_filter`; it must be passed on to the command.
        tasks: the most processes and threads.
        concealed: folders that appear empty inside, even where they lie in a visible folder.
    """
    size = str(disk_bytes)
    options = ["bwrap", "--unshare-all", "--unshare-user", "--uid", USER_INSIDE, "--gid", USER_INSIDE]
    options += ["--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL"]
    options += ["--seccomp", str(filter_descriptor), "--hostname", "lab"]
    options += ["--disable-userns"] if "--disable-userns" in _help() else []
    options += ["--proc", "/proc", "--dev", "/dev", "--size", size, "--tmpfs", "/dev/shm"]
    options += ["--size", size, "--tmpfs", "/tmp", "--dir", HOME, *_read_only_system()]
    for folder in concealed:
        if any(folder.resolve().is_relative_to(path) for path in (*_visible(), *map(Path, SYSTEM))):
            options += ["--size", "4096", "--tmpfs", str(folder.resolve())]
            options += ["--remount-ro", str(folder.resolve())]
    for folder_in_memory in ("/dev", "/proc", "/"):
        options += ["--remount-ro", folder_in_memory]
    options += ["--chdir", HOME, "--"]
    if _kernel() >= TASKS_PER_NAMESPACE:
        options += ["prlimit", f"--nproc={tasks}:{tasks}"]
    return [*_as_nobody(), *options] if os.geteuid() == 0 else options


def _as_nobody() -> list[str]:
    """What root puts before the command: what the box needs to see, made accessible, and another user.

    Only the mounts are made by root. A user namespace that root itself makes would not do: its code is
    still root's outside, who owns the files of ``/proc/sys``.
    """
    view = ["bwrap", "--die-with-parent", "--bind", "/proc", "/proc", "--dev-bind", "/dev", "/dev"]
    view += ["--tmpfs", "/tmp", *_read_only_system(), "--remount-ro", "/", "--chdir", "/", "--"]
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    # subtle: a change of user clears the signal that ends the box together with the grader.
    return [*view, *drop, "--inh-caps=-all", "--bounding-set=-all", "--pdeathsig=keep"]


def _read_only_system() -> list[str]:
    """The options that show the system, Python and labkit."""
    options = []
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            options += ["--ro-bind", str(path), str(path)]
    shown = [*map(Path, CONFIGURATION), *_visible()]
    # subtle: bubblewrap gives a folder above a mount the mode that it has outside, such as /root's 0700.
    for folder in sorted({folder for path in shown for folder in path.parents if folder != Path("/")}):
        if folder != Path("/tmp"):
            options += ["--perms", "0755", "--dir", str(folder)]
    for path in shown:
        options += ["--ro-bind-try", str(path), str(path)]
    return options


def _visible() -> list[Path]:
    """Python's folders and labkit, each once, outermost first."""
    paths = {Path(sys.prefix), Path(sys.base_prefix), Path(sysconfig.get_path("purelib"))}
    paths |= {Path(sys.executable).resolve().parents[1], Path(labkit.__file__).resolve().parent}
    outermost: list[Path] = []
    for path in sorted(paths):
        if not any(path.is_relative_to(other) for other in (*outermost, Path("/usr"))):
            outermost.append(path)
    return outermost


@cache
def _help() -> str:
    """What ``bwrap --help`` prints: the options of the installed version."""
    return subprocess.run(
        ["bwrap", "--help"], capture_output=True, text=True, timeout=60, check=False
    ).stdout


def _kernel() -> tuple[int, ...]:
    """The version of the running kernel, such as ``(6, 1)``."""
    return tuple(map(int, re.findall(r"\d+", platform.release())[:2]))

"""Isolate a program with bubblewrap: a read-only system and Python environment, no network.

Only the folders listed here are visible inside; the labs and the submissions are not. Limits of time
and memory are in :mod:`labkit.course.grading.sandbox.box`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import labkit

__all__ = ["HOME", "bubblewrap", "why_no_bubblewrap"]

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix")
CONFIGURATION = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
)
HOME = "/tmp/home"  # inside; files there are in memory


@cache
def why_no_bubblewrap() -> str | None:
    """The reason why bubblewrap does not work on this machine; None if it works.

    Raises:
        RuntimeError: if bubblewrap does not answer within five minutes. A busy machine must not be
            mistaken for one without a sandbox.
    """
    if shutil.which("bwrap") is None:
        return "the program bwrap is not installed"
    try:
        command = [*bubblewrap(1_000_000), "true"]
        tried = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(
            "bubblewrap does not answer within five minutes; try again when the machine is less busy."
        ) from error
    except OSError as error:
        return str(error)
    return None if tried.returncode == 0 else tried.stderr.strip()[:200] or "it ended with an error"


def bubblewrap(disk_bytes: int, concealed: Sequence[Path] = ()) -> list[str]:
    """Return the command ``bwrap`` with its options: own namespaces, read-only system, files in memory.

    Args:
        disk_bytes: the most that may be written.
        concealed: folders that appear empty inside, even where they lie in a visible folder.
    """
    size = str(disk_bytes)
    options = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    options += [
        "--hostname",
        "lab",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--size",
        size,
        "--tmpfs",
        "/dev/shm",
    ]
    options += ["--size", size, "--tmpfs", "/tmp", "--dir", HOME]
    visible = _visible()
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            options += ["--ro-bind", str(path), str(path)]
    for file in (*CONFIGURATION, *map(str, visible)):
        options += ["--ro-bind-try", file, file]
    for folder in concealed:
        if any(folder.resolve().is_relative_to(path) for path in (*visible, *map(Path, SYSTEM))):
            options += ["--tmpfs", str(folder.resolve())]
    return [*options, "--remount-ro", "/", "--chdir", HOME, "--"]


def _visible() -> list[Path]:
    """Python's folders and labkit, each once, outermost first."""
    paths = {Path(sys.prefix), Path(sys.base_prefix), Path(sysconfig.get_path("purelib"))}
    paths |= {Path(sys.executable).resolve().parents[1], Path(labkit.__file__).resolve().parent}
    outermost: list[Path] = []
    for path in sorted(paths):
        if not any(path.is_relative_to(other) for other in (*outermost, Path("/usr"))):
            outermost.append(path)
    return outermost

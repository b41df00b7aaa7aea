"""What a program sees in a closed box: the system and Python's environment, read-only, no network.

Only what is listed here is visible; neither the labs nor submissions are. Leaves out: limits of time
and memory, and the end of the program (:mod:`labkit.course.grading.sandbox.box`).
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
    """Why the box cannot be closed on this machine; None if it can.

    Raises:
        RuntimeError: if that cannot be found out in five minutes: a slow machine is no open one.
    """
    if shutil.which("bwrap") is None:
        return "the program bwrap is not installed"
    try:
        command = [*bubblewrap(1_000_000), "true"]
        tried = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(
            "bubblewrap does not answer; try again when the machine is less busy."
        ) from error
    except OSError as error:
        return str(error)
    return None if tried.returncode == 0 else tried.stderr.strip()[:200] or "it ended with an error"


def bubblewrap(disk_bytes: int, hidden: Sequence[Path] = ()) -> list[str]:
    """The program bwrap and its options: own namespaces, the system read-only, files in memory.

    Args:
        disk_bytes: how much may be written.
        hidden: folders that are empty inside, even if they lie in one that is visible there.
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
    for folder in hidden:
        if any(folder.resolve().is_relative_to(path) for path in (*visible, *map(Path, SYSTEM))):
            options += ["--tmpfs", str(folder.resolve())]
    return [*options, "--remount-ro", "/", "--chdir", HOME, "--"]


def _visible() -> list[Path]:
    """Python's folders and labkit, each once, outermost first."""
    paths = {Path(sys.prefix), Path(sys.base_prefix), Path(sysconfig.get_path("purelib"))}
    paths |= {Path(sys.executable).resolve().parents[1], Path(labkit.__file__).resolve().parent}
    found: list[Path] = []
    for path in sorted(paths):
        if not any(path.is_relative_to(other) for other in (*found, Path("/usr"))):
            found.append(path)
    return found

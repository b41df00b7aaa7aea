"""Try from inside a box what must not work there; print what does, one sentence each.

The grader runs this program once before it relies on bubblewrap, since what a box holds back depends
on the kernel, on bubblewrap's version and on who grades.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["main", "openings"]

NEW_USER_NAMESPACE = 0x10000000
VSOCK = 40  # sockets between a virtual machine and its host
GLOBAL_FILES = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/poweroff_cmd",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/vm/drop_caches",
    "/proc/sysrq-trigger",
)
FOLDERS = ("/", "/dev", "/proc", "/etc", "/usr")


def openings() -> Iterator[str]:
    """Yield what is open in the process that calls this."""
    for name in GLOBAL_FILES:
        with contextlib.suppress(OSError):
            os.close(os.open(name, os.O_WRONLY))
            yield f"{name} can be written"
    for name in FOLDERS:
        if os.access(name, os.W_OK):
            yield f"the folder {name} can be written"
    # subtle: /proc/sys belongs to root outside, whatever number that user has in this namespace.
    if os.getuid() in (0, Path("/proc/sys").stat().st_uid):
        yield "the code runs as root"
    status = Path("/proc/self/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    if any(int(fields[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")):
        yield "the code has capabilities"
    if fields["NoNewPrivs"].strip() != "1":
        yield "the code can gain privileges"
    if ctypes.CDLL(None).unshare(NEW_USER_NAMESPACE) == 0:
        yield "the code can make a user namespace"
    with contextlib.suppress(OSError):
        os.close(os.memfd_create("probe"))
        yield "memory can be held outside the limits (memfd_create)"
    with contextlib.suppress(OSError):
        socket.socket(VSOCK, socket.SOCK_STREAM).close()
        yield "sockets to the host of a virtual machine can be made"
    if b"labkit.course.grading.sandbox" not in Path("/proc/1/cmdline").read_bytes():
        yield "processes of the grader can be seen"


def main() -> None:
    """Print what is open, one sentence per line."""
    for sentence in openings():
        sys.stdout.write(f"{sentence}\n")


if __name__ == "__main__":
    main()

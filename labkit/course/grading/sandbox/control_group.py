"""A control group for one box, made by systemd where it can: the kernel itself adds up memory and tasks."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

__all__ = ["BUS_VARIABLES", "scope", "why_no_control_group"]

ROOT = Path("/sys/fs/cgroup")
BUS_VARIABLES = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")  # how an ordinary user reaches systemd
TRIAL_BYTES, TRIAL_TASKS = 1 << 30, 77
SHOW = 'group=$1$(sed -n "s/^0:://p" /proc/self/cgroup); cat "$group/memory.max" "$group/pids.max"'


def scope(memory_bytes: int, tasks: int) -> list[str]:
    """Return what to put before a command, so it runs in a control group; see also BUS_VARIABLES."""
    user = [] if os.geteuid() == 0 else ["--user"]
    command = ["systemd-run", *user, "--scope", "--quiet", "--collect"]
    for setting in (f"MemoryMax={memory_bytes}", "MemorySwapMax=0", f"TasksMax={tasks}"):
        command += ["--property", setting]
    without_bus = [part for name in BUS_VARIABLES for part in ("-u", name)]
    return [*command, "--", "env", *without_bus]


@cache
def why_no_control_group() -> str | None:
    """The reason why there is no control group for a box; None if there is, with the limits in place."""
    if shutil.which("systemd-run") is None:
        return "systemd-run is not installed"
    reading, writing = os.pipe()  # the box gets its filter through such a descriptor
    os.close(writing)
    try:
        show = ["sh", "-c", f"test -e /proc/self/fd/{reading} && {SHOW}", "sh", str(ROOT)]
        tried = subprocess.run(
            [*scope(TRIAL_BYTES, TRIAL_TASKS), *show],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            pass_fds=[reading],
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        os.close(reading)
    if tried.returncode != 0:
        return tried.stderr.strip()[-300:] or "systemd-run ended with an error"
    if tried.stdout.split() != [str(TRIAL_BYTES), str(TRIAL_TASKS)]:
        return "systemd-run does not limit memory and tasks here"
    return None

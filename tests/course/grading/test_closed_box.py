"""What code in a closed box tries, and does not get; every probe runs as an exercise would."""

from __future__ import annotations

import errno
import os
import platform
import re
import struct
import subprocess
import sys

import psutil
import pytest

from labkit.course.grading.sandbox import bubblewrap
from labkit.course.grading.sandbox.box import Box, choose_backend
from labkit.course.grading.sandbox.bubblewrap import why_no_bubblewrap
from labkit.course.grading.sandbox.limits import Limits
from labkit.course.grading.sandbox.system_calls import MACHINES, REFUSED, seccomp_filter
from labkit.course.grading.sandbox.watchdog import descendants

pytestmark = pytest.mark.heavy

CLOSED = pytest.mark.skipif(
    why_no_bubblewrap() is not None, reason=f"needs bubblewrap: {why_no_bubblewrap()}"
)
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who has more to lose")
RUNNER = [sys.executable, "-I", "-m", "labkit.course.grading.sandbox.runner"]
LIMITS = Limits(cpu_s=20, wall_s=20, disk_bytes=8_000_000)
ALLOWED = {"cpu_s": 20, "wall_s": 20, "memory_bytes": 10**9, "file_bytes": 10**6, "output_chars": 5000}
SETUP = """
import ctypes, mmap, os, socket, subprocess, threading
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        return type(error).__name__


def errno_of(result):
    return ctypes.get_errno() if result == -1 else "allowed"
"""


@pytest.fixture(scope="module")
def closed():
    with Box(RUNNER, backend="bwrap", limits=LIMITS) as box:
        assert box.ask({"setup": [["setup", SETUP]]}, 300)["ready"]
        yield box


def printed(box, source):
    reply = box.ask({"cells": [["0", source]], "last": "0", "limits": ALLOWED}, 60)
    (cell,) = reply["cells"]
    assert cell["error"] is None, cell["error"]
    return cell["text"].strip()


PROBES = {
    "core_pattern": (
        "outcome(open, '/proc/sys/kernel/core_pattern', 'w')",
        "PermissionError|OSError|FileNotFoundError",
    ),
    "poweroff_cmd": (
        "outcome(open, '/proc/sys/kernel/poweroff_cmd', 'w')",
        "PermissionError|OSError|FileNotFoundError",
    ),
    "drop_caches": (
        "outcome(open, '/proc/sys/vm/drop_caches', 'w')",
        "PermissionError|OSError|FileNotFoundError",
    ),
    "sysrq": ("outcome(open, '/proc/sysrq-trigger', 'w')", "PermissionError|OSError|FileNotFoundError"),
    "any file of /proc/sys": (
        "[str(p) for p in Path('/proc/sys').rglob('*') if p.is_file() and os.access(p, os.W_OK)]",
        r"\[\]",
    ),
    "a setting of its own in /proc": ("outcome(open, '/proc/self/comm', 'w')", "OSError"),
    "no /sys": ("Path('/sys').exists()", "False"),
    "user": ("os.getuid() == os.geteuid() == 1000", "True"),
    "root again": ("outcome(os.setuid, 0)", "PermissionError|OSError|FileNotFoundError"),
    "groups": ("outcome(os.setgroups, [0])", "PermissionError"),
    "capabilities": (
        "{line.split()[1] for line in open('/proc/self/status') if line.startswith('Cap')}",
        "{'0000000000000000'}",
    ),
    "no new privileges": ("'NoNewPrivs:\\t1' in open('/proc/self/status').read()", "True"),
    "user namespace": ("errno_of(libc.unshare(0x10000000))", str(errno.ENOSYS)),
    "mount namespace": ("errno_of(libc.unshare(0x20000))", str(errno.ENOSYS)),
    "user namespace by clone": (
        "errno_of(libc.syscall({'x86_64': 56, 'aarch64': 220}[os.uname().machine], 0x10000011, 0, 0, 0, 0))",
        str(errno.EPERM),
    ),
    "mount": ("errno_of(libc.mount(b'x', b'/tmp', b'tmpfs', 0, None))", str(errno.ENOSYS)),
    "memfd": ("outcome(os.memfd_create, 'x')", "OSError"),
    "System V memory": ("errno_of(libc.shmget(0, 10**9, 0o1600))", str(errno.ENOSYS)),
    "trace the runner": ("errno_of(libc.ptrace(16, os.getppid(), 0, 0))", str(errno.ENOSYS)),
    "sockets to the host": ("outcome(socket.socket, 40, socket.SOCK_STREAM)", "OSError"),
    "network": ("outcome(socket.create_connection, ('1.1.1.1', 53), 5)", "OSError"),
    "the runner's requests": ("outcome(os.listdir, f'/proc/{os.getppid()}/fd')", "PermissionError"),
    "the runner's memory": ("outcome(open, f'/proc/{os.getppid()}/mem', 'rb')", "PermissionError"),
    "the runner's environment": ("outcome(open, f'/proc/{os.getppid()}/environ', 'rb')", "PermissionError"),
    "its own requests": (
        "sorted(os.readlink(f'/proc/self/fd/{n}')[:4] for n in os.listdir('/proc/self/fd')[:3])",
        r"\['/dev', '/dev', '/dev'\]",
    ),
    "other processes": (
        "sorted(int(name) for name in os.listdir('/proc') if name.isdigit()) == [1, os.getpid()]",
        "True",
    ),
    "the grader's command": (
        "open('/proc/1/cmdline').read().split('\\0')[1:]",
        re.escape(str([*RUNNER[1:], ""])),
    ),
    "a file in /dev": ("outcome(open, '/dev/x', 'w')", "OSError"),
    "a file in /": ("outcome(open, '/x', 'w')", "OSError"),
    "a file in the system": ("outcome(open, '/usr/x', 'w')", "OSError|PermissionError"),
    "folders that can be written": (
        "sorted((line.split()[1], os.statvfs(line.split()[1]).f_blocks * 4096 < 8_010_000)"
        " for line in open('/proc/mounts') if line.split()[2] == 'tmpfs' and ' rw,' in line)",
        re.escape("[('/dev/shm', True), ('/tmp', True)]"),
    ),
    "many threads": (
        "outcome(lambda: [threading.Thread(target=threading.Event().wait, daemon=True).start()"
        " for _ in range(300)])",
        "RuntimeError",
    ),
    "descriptors": ("outcome(lambda: [os.dup(1) for _ in range(1000)])", "OSError"),
    "first to die": ("open('/proc/self/oom_score_adj').read().strip()", "1000"),
    "labkit and NumPy": (
        "__import__('labkit').__name__, __import__('numpy').eye(2).trace()",
        r"labkit 2\.0",
    ),
}


@CLOSED
@pytest.mark.parametrize("probe", PROBES)
def test_a_closed_box_gives_nothing_away(closed, probe):
    source, expected = PROBES[probe]
    text = printed(closed, f"print({source})")
    assert re.fullmatch(expected, text), text


@CLOSED
@ROOT
def test_a_box_that_root_starts_is_another_user_outside():
    with Box(RUNNER, backend="bwrap", limits=LIMITS) as box:
        assert box.ask({"setup": []}, 300)["ready"]
        program = descendants(box.process.pid)[-1]
        assert program.uids() == (65534, 65534, 65534)
        assert program.gids() == (65534, 65534, 65534)


@CLOSED
def test_a_closed_box_ends_with_a_grader_that_is_killed():
    source = f"""
import sys, time
from labkit.course.grading.sandbox.box import Box
from labkit.course.grading.sandbox.limits import Limits
box = Box({RUNNER}, backend="bwrap", limits=Limits())
assert box.ask({{"setup": []}}, 300)["ready"]
print(box.process.pid, flush=True)
time.sleep(500)
"""
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as grader:
        top = psutil.Process(int(grader.stdout.readline()))
        family = [top, *descendants(top.pid)]
        grader.kill()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


@CLOSED
@ROOT
def test_a_box_whose_code_would_be_root_is_refused(monkeypatch):
    monkeypatch.setattr(bubblewrap, "_as_nobody", list)
    _require_refusal(monkeypatch, "the code runs as root")


@CLOSED
def test_a_box_in_which_any_system_call_works_is_refused(monkeypatch):
    monkeypatch.setattr(
        bubblewrap, "seccomp_filter", lambda _: struct.pack("<HBBI", 0x06, 0, 0, 0x7FFF0000)
    )
    _require_refusal(monkeypatch, "memfd_create.*virtual machine")


@CLOSED
def test_a_machine_without_known_system_calls_is_refused(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    _require_refusal(monkeypatch, "restricted on riscv64")


def _require_refusal(monkeypatch, words):
    why_no_bubblewrap.cache_clear()
    try:
        with pytest.raises(ValueError, match=f"refused.*{words}"):
            choose_backend("bwrap")
        assert choose_backend("auto") == "none"
    finally:
        monkeypatch.undo()
        why_no_bubblewrap.cache_clear()


def _answer(program, number, architecture, argument=0):
    """What a filter returns: a small interpreter of the instructions that it uses."""
    data = struct.pack("<IIQQ", number, architecture, 0, argument)
    instructions = list(struct.iter_unpack("<HBBI", program))
    value = place = 0
    while True:
        code, if_true, if_false, k = instructions[place]
        place += 1
        if code == 0x20:
            value = int.from_bytes(data[k : k + 4], "little")
        elif code == 0x06:
            return k
        else:
            holds = {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}[code]
            place += if_true if holds else if_false


@pytest.mark.parametrize(
    ("machine", "write", "clone", "socket"), [("x86_64", 1, 56, 41), ("aarch64", 64, 220, 198)]
)
def test_the_filter_allows_ordinary_calls_and_refuses_the_rest(machine, write, clone, socket):
    program, architecture = seccomp_filter(machine), MACHINES[machine]
    allow, refused = 0x7FFF0000, 0x00050000
    answers = {
        (write, 0): allow,
        (clone, 0x1200011): allow,  # fork
        (clone, 0x3D0F00): allow,  # a thread
        (clone, 0x10000011): refused | errno.EPERM,
        (clone, 0x20000): refused | errno.EPERM,
        (socket, 1): allow,
        (socket, 2): allow,
        (socket, 40): refused | errno.EAFNOSUPPORT,
        (write | 0x40000000, 0): refused | errno.ENOSYS,
    }
    for numbers in REFUSED.values():
        answers[numbers[list(MACHINES).index(machine)], 0] = refused | errno.ENOSYS
    assert {key: _answer(program, key[0], architecture, key[1]) for key in answers} == answers
    assert _answer(program, write, 0x40000003) == 0x80000000  # 32-bit calls end the process

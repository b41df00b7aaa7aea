"""Limits hold whatever the code does, for all processes and all boxes of a lab together."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import hostile
import psutil
import pytest

from labkit.course.grading import execution
from labkit.course.grading.execution import SandboxConfig, run_exercises
from labkit.course.grading.sandbox import box as box_module
from labkit.course.grading.sandbox import control_group
from labkit.course.grading.sandbox.box import Box, Overrun
from labkit.course.grading.sandbox.bubblewrap import why_no_bubblewrap
from labkit.course.grading.sandbox.folder import BoxFolder
from labkit.course.grading.sandbox.limits import Limits
from labkit.course.grading.sandbox.watchdog import descendants

pytestmark = pytest.mark.heavy

CLOSED = pytest.mark.skipif(
    why_no_bubblewrap() is not None, reason=f"needs bubblewrap: {why_no_bubblewrap()}"
)
KINDS = [pytest.param("bwrap", marks=CLOSED), "none"]
RUNNER = [sys.executable, "-I", "-m", "labkit.course.grading.sandbox.runner"]
LIMITS = Limits(memory_bytes=400_000_000, files=500, processes=20)

# Writes blanks into every pipe of the process above, as far as it may.
TRICKLE = """
import os, threading, time

def trickle(parent=os.getppid()):
    while True:
        try:
            for name in os.listdir(f"/proc/{parent}/fd"):
                if os.readlink(f"/proc/{parent}/fd/{name}").startswith("pipe"):
                    descriptor = os.open(f"/proc/{parent}/fd/{name}", os.O_WRONLY | os.O_NONBLOCK)
                    os.write(descriptor, b" ")
                    os.close(descriptor)
        except OSError:
            pass
        time.sleep(0.01)

threading.Thread(target=trickle, daemon=True).start()
"""
PROCESSES = """
import os, time
for _ in range(40):
    if os.fork() == 0:
        time.sleep(500)
time.sleep(500)
"""
SHARED = """
import mmap, time
shared = mmap.mmap(-1, 600_000_000)
for start in range(0, 600_000_000, 1_000_000):
    shared[start : start + 1_000_000] = b"x" * 1_000_000
time.sleep(500)
"""
SPREAD = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        break
held = b"x" * 150_000_000
time.sleep(500)
"""
SECRETIVE = "import ctypes\nctypes.CDLL(None).prctl(4, 0)\n"  # an ordinary user cannot look into it
UNMAPPED = """
import os, time
for _ in range(12):
    descriptor = os.memfd_create("x")
    for _ in range(50):
        os.write(descriptor, b"x" * 1_000_000)
time.sleep(500)
"""
EMPTY_FILES = """
import time
for number in range(1000):
    open(f"/tmp/{number}", "w").close()
time.sleep(500)
"""


def request(source):
    allowed = {"cpu_s": 30, "wall_s": 100, "memory_bytes": 300_000_000, "file_bytes": 10**8}
    return {"cells": [["0", source]], "last": "0", "limits": {**allowed, "output_chars": 1000}}


def ask(backend, source, limits=LIMITS, seconds=60.0):
    with Box(RUNNER, backend=backend, limits=limits) as box:
        assert box.ask({"setup": []}, 300)["ready"]
        return box.ask(request(source), seconds)


@pytest.mark.parametrize("backend", KINDS)
@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param(TRICKLE + PROCESSES, "more than 20 processes", id="processes"),
        pytest.param(TRICKLE + SHARED, "more than 0.4 GB of memory", id="shared"),
        pytest.param(SECRETIVE + SPREAD, "more than 0.4 GB of memory", id="spread"),
    ],
)
def test_a_limit_holds_for_all_processes_together_whatever_is_written(backend, source, words):
    with pytest.raises(Overrun, match=words):
        ask(backend, source)


@pytest.mark.parametrize("backend", KINDS)
def test_time_ends_a_cell_that_writes_all_the_while(backend):
    start = time.monotonic()
    with pytest.raises(Overrun, match="within its time"):
        ask(backend, TRICKLE + "time.sleep(500)", seconds=2.0)
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("backend", KINDS)
def test_what_hides_from_the_grader_ends_with_its_box(backend):
    source = SECRETIVE + SPREAD.replace("150_000_000", "1").replace("break", "os.setsid(); break")
    with Box(RUNNER, backend=backend, limits=LIMITS) as box:
        assert box.ask({"setup": []}, 300)["ready"]
        box._tagged = lambda: iter(())  # what hides cannot be found by its environment
        families, end = [], box.watchdog.end
        box.watchdog.end = lambda: (families.append(descendants(box.process.pid)), end())
        with pytest.raises(Overrun, match="time"):
            box.ask(request(source), 2)
    assert len(families[0]) >= 4
    _, alive = psutil.wait_procs(families[0], timeout=20)
    assert alive == []


def test_memory_in_files_without_a_name_counts():
    with pytest.raises(Overrun, match=r"more than 0\.4 GB of memory"):
        ask("none", UNMAPPED)


@CLOSED
def test_empty_files_are_counted():
    with pytest.raises(Overrun, match="more than 500 files"):
        ask("bwrap", EMPTY_FILES)


@pytest.mark.parametrize("backend", KINDS)
def test_a_runner_that_is_stopped_and_does_not_read_does_not_stop_the_grader(backend):
    source = "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)"
    with Box(RUNNER, backend=backend, limits=LIMITS) as box:
        assert box.ask({"setup": []}, 300)["ready"]
        if backend == "bwrap":  # the first process of a namespace cannot be stopped from inside
            assert box.ask(request(source), 60)["ended"] is None
            return
        with pytest.raises(Overrun, match="time"):
            box.ask(request(source), 1)
    deaf = [sys.executable, "-c", "import time\ntime.sleep(500)"]
    with Box(deaf, backend=backend, limits=LIMITS) as box, pytest.raises(Overrun, match="time"):
        box.ask(request("#" * 10**6), 1)


def test_the_time_of_a_lab_counts_over_all_its_boxes(monkeypatch):
    clock, boxes = [1000.0], []

    class SlowBox:
        """Every exercise takes 700 seconds and ends its box."""

        def __init__(self, _, *, limits, **__):
            boxes.append(limits.lab_s)

        def ask(self, request, _):
            if "setup" in request:
                return {"ready": True}
            clock[0] += 700
            raise Overrun("not finished within its time")

        def close(self):
            pass

    monkeypatch.setattr(execution, "Box", SlowBox)
    monkeypatch.setattr(execution.time, "monotonic", lambda: clock[0])
    answers = {f"99-{number}-todo": hostile.SOLUTIONS[f"99.{number}"] for number in (1, 2, 3)}
    outcomes = run_exercises(hostile.small_class_lab(), answers, SandboxConfig("none"))
    assert boxes == [1200, 500]
    assert outcomes["99.2"] == ("limit", "it uses 99.1, which is not right: not finished within its time")
    assert outcomes["99.3"].status == "limit"
    assert "20 minutes for the whole lab" in outcomes["99.3"].reason


SYSTEMD_RUN = """#!/bin/sh
while [ "$1" != -- ]; do
    case $1 in
        MemoryMax=*) echo "${1#*=}" >"GROUP/memory.max" ;;
        TasksMax=*) echo "${1#*=}" >"GROUP/pids.max" ;;
    esac
    shift
done
shift
exec "$@"
"""


@pytest.fixture(params=["applies", "ignores"])
def systemd(request, tmp_path, monkeypatch):
    """A ``systemd-run`` that applies what is asked for, or ignores it."""
    own = re.search(r"(?m)^0::/(.*)$", Path("/proc/self/cgroup").read_text())
    program, group = tmp_path / "bin" / "systemd-run", tmp_path / "groups" / (own[1] if own else "")
    program.parent.mkdir()
    group.mkdir(parents=True)
    for name in ("memory.max", "pids.max"):
        (group / name).write_text("max\n")
    asked = group if request.param == "applies" else program.parent
    program.write_text(SYSTEMD_RUN.replace("GROUP", str(asked)))
    program.chmod(0o755)
    monkeypatch.setattr(control_group, "ROOT", tmp_path / "groups")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    monkeypatch.setattr(box_module, "_environment", _with_path(box_module._environment))
    control_group.why_no_control_group.cache_clear()
    yield request.param, group
    monkeypatch.undo()
    control_group.why_no_control_group.cache_clear()


def _with_path(original):
    return lambda *arguments: {**original(*arguments), "PATH": os.environ["PATH"]}


def test_a_control_group_is_used_only_if_its_limits_are_in_place(systemd):
    kind, group = systemd
    problem = control_group.why_no_control_group()
    assert problem == (None if kind == "applies" else "systemd-run does not limit memory and tasks here")
    reply = ask("none", "import os\nprint('XDG_RUNTIME_DIR' in os.environ)")
    assert reply["cells"][0]["text"] == "False\n"
    expected = str(LIMITS.memory_bytes + 2 * LIMITS.disk_bytes) if kind == "applies" else "max"
    assert (group / "memory.max").read_text().strip() == expected


@pytest.mark.skipif(
    control_group.why_no_control_group() is not None,
    reason=f"needs control groups: {control_group.why_no_control_group()}",
)
@pytest.mark.parametrize("backend", KINDS)
def test_the_kernel_limits_the_memory_of_a_box_where_there_are_control_groups(backend):
    with Box(RUNNER, backend=backend, limits=LIMITS) as box:
        assert box.ask({"setup": []}, 300)["ready"]
        (line,) = Path(f"/proc/{box.process.pid}/cgroup").read_text().splitlines()
        group = control_group.ROOT / line.removeprefix("0::/")
        assert int((group / "memory.max").read_text()) <= LIMITS.memory_bytes + 2 * LIMITS.disk_bytes


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_of_a_killed_box_is_removed_at_the_next_start(temporary):
    source = (
        "import os, signal\nfrom labkit.course.grading.sandbox.folder import BoxFolder\n"
        "folder = BoxFolder()\n(folder.path / 'x').write_text('x')\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    subprocess.run([sys.executable, "-c", source], env=environment, check=False, timeout=60)
    (left,) = temporary.iterdir()
    assert (left / "x").exists()
    box = BoxFolder()
    assert list(temporary.iterdir()) == [box.path]
    box.remove()
    assert list(temporary.iterdir()) == []


def test_only_the_folders_of_boxes_that_ended_are_removed(temporary):
    mine = temporary / "mine"
    mine.mkdir()
    (mine / "work").write_text(json.dumps("kept"))
    (temporary / "labkit-box-link").symlink_to(mine)
    (temporary / "labkit-box-file").write_text("kept")
    (temporary / "labkit-new-one").mkdir()
    (temporary / "labkit-box-ended").mkdir()
    living = BoxFolder()
    other = BoxFolder()
    names = {path.name for path in temporary.iterdir()}
    kept = {"mine", "labkit-box-link", "labkit-box-file", "labkit-new-one"}
    assert names == kept | {living.path.name, other.path.name}
    assert (mine / "work").exists()
    for folder in (living, other):
        folder.remove()
    assert Path(mine / "work").exists()

"""A box ends what runs in it, limits it, and, with bubblewrap, shows it nothing of the grader's."""

from __future__ import annotations

import os
import sys
import time

import psutil
import pytest

from labkit.course.grading.sandbox import box as sandbox
from labkit.course.grading.sandbox import bubblewrap
from labkit.course.grading.sandbox.box import Box, Overrun, choose_backend
from labkit.course.grading.sandbox.bubblewrap import why_no_bubblewrap
from labkit.course.grading.sandbox.limits import Limits
from labkit.course.grading.sandbox.watchdog import descendants

pytestmark = pytest.mark.heavy

CLOSED = pytest.mark.skipif(
    why_no_bubblewrap() is not None, reason=f"needs bubblewrap: {why_no_bubblewrap()}"
)
KINDS = [pytest.param("bwrap", marks=CLOSED), "none"]
RUNNER = [sys.executable, "-I", "-m", "labkit.course.grading.sandbox.runner"]
LIMITS = Limits(cpu_s=3, wall_s=20, memory_bytes=1_500_000_000, file_bytes=1_000_000, processes=20)


def request(*sources, **limits):
    """A request to run cells named 0, 1, …"""
    allowed = {"cpu_s": 3, "wall_s": 20, "memory_bytes": 10**9, "file_bytes": 10**6, "output_chars": 1000}
    cells = [[str(number), source] for number, source in enumerate(sources)]
    return {"cells": cells, "last": cells[-1][0], "limits": allowed | limits}


@pytest.fixture(params=KINDS)
def box(request):
    with Box(RUNNER, backend=request.param, limits=LIMITS) as made:
        assert made.ask({"setup": [["setup", "import os"]]}, 300) == {"ready": True, "error": None}
        yield made


def test_prints_of_the_cell_are_told_from_those_of_the_functions_it_calls(box):
    reply = box.ask(request("def f(x):\n    print('noise')\n    return 2 * x", "print(f(3))\n[f(1)]"), 100)
    assert reply["ended"] is None
    assert reply["cells"][-1]["text"] == "noise\n6\nnoise\n[2]\n"
    assert reply["cells"][-1]["own"] == "6\n[2]\n"


def test_a_request_leaves_nothing_behind_for_the_next(box):
    box.ask(request("import builtins\nbuiltins.len = None\nleft = 1\nos._exit(3)"), 100)
    reply = box.ask(request("print(len([1]), 'left' in globals())"), 100)
    assert reply["cells"][0]["text"] == "1 False\n"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("x = bytearray(2 * 10**9)", "MemoryError"),
        ("print('x' * 2000)", "OutputLimit"),
        ("open('x', 'wb').write(bytes(2 * 10**6))", "OSError"),
        ("class Odd(Exception):\n    def __str__(self): 1 / 0\nraise Odd", "Exception"),
    ],
)
def test_a_limit_is_an_error_of_the_cell(box, source, kind):
    assert box.ask(request(source), 100)["cells"][0]["error"]["kind"] == kind


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("os._exit(0)", "died"),
        ("os.kill(os.getpid(), 11)", "died"),
        ("import time\ntime.sleep(99)", "late"),
    ],
)
def test_how_a_cell_ended_is_told(box, source, why):
    reply = box.ask(request("pass", source, wall_s=4), 100)
    assert reply["ended"] == {"why": why, "cell": "1"}
    assert box.ask(request("print(1)"), 100)["cells"][0]["text"] == "1\n"


def test_a_program_that_is_killed_from_inside_is_told_and_the_first_process_of_a_closed_box_cannot_be(box):
    source = "os.kill(os.getppid(), 9)\nimport time\ntime.sleep(99)"
    if box.confined:
        assert box.ask(request(source, wall_s=1), 100)["ended"]["why"] == "late"
        return
    with pytest.raises(Overrun, match="ended its own process"):
        box.ask(request(source), 100)


def test_a_box_that_gets_too_many_processes_is_noticed_and_they_end_with_it(box):
    source = (
        "import time\nfor _ in range(40):\n    if os.fork() == 0:\n        time.sleep(500)\ntime.sleep(500)"
    )
    families = []
    end, box.watchdog.end = box.watchdog.end, lambda: families.append(descendants(box.process.pid))
    with pytest.raises(Overrun, match="processes"):
        box.ask(request(source, wall_s=100), 100)
    box.watchdog.stop()
    (family,) = families
    end()
    assert len(family) > LIMITS.processes
    box.close()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    assert not box.folder.path.exists()


def test_a_process_that_left_its_session_ends_with_its_exercise(box):
    reply = box.ask(
        request("if os.fork() == 0:\n    os.setsid()\n    import time\n    time.sleep(500)"), 100
    )
    assert reply["ended"] is None
    count = "import psutil\nprint(len(psutil.Process(os.getppid()).children(recursive=True)))"
    assert box.ask(request(count), 100)["cells"][0]["text"] == "1\n"  # the exercise itself


@CLOSED
def test_a_closed_box_shows_neither_the_workbook_nor_the_callers_files_nor_its_environment(
    tmp_path, monkeypatch
):
    (tmp_path / "secret").write_text("x")
    monkeypatch.setenv("LABKIT_TEST_TOKEN", "x")
    source = f"""
from pathlib import Path
import labkit
home = Path(labkit.__file__).parents[1]
print(sorted(path.name for path in home.iterdir() if path.name in ("labs", "tests", "checkpoints")))
print(Path({str(tmp_path)!r}).exists(), "LABKIT_TEST_TOKEN" in os.environ)
try:
    (home / "labkit" / "new.py").write_text("x")
except OSError as error:
    print(error.errno)
"""
    with Box(RUNNER, backend="bwrap", limits=LIMITS) as box:
        box.ask({"setup": [["setup", "import os"]]}, 300)
        assert box.ask(request(source), 100)["cells"][0]["text"] == "[]\nFalse False\n30\n"


@CLOSED
def test_a_folder_that_must_not_be_seen_is_empty_even_inside_a_visible_one():
    place = next(path for path in bubblewrap._visible() if (path / "course").is_dir())
    with Box(RUNNER, backend="bwrap", limits=LIMITS, concealed=[place / "plots"]) as box:
        box.ask({"setup": [["setup", "import os"]]}, 300)
        reply = box.ask(request(f"print(os.listdir({str(place / 'plots')!r}))"), 100)
    assert reply["cells"][0]["text"] == "[]\n"


def test_the_runners_requests_cannot_be_read_by_what_it_runs(box):
    if os.geteuid() == 0 and not box.confined:
        pytest.skip("without bubblewrap root can read everything")
    reply = box.ask(request("os.listdir(f'/proc/{os.getppid()}/fd')"), 100)
    assert reply["cells"][0]["error"]["kind"] == "PermissionError"


def test_a_program_that_does_not_start_shows_its_error(box):
    command = [sys.executable, "-c", "import sys; sys.exit('no room on the device')"]
    backend = "bwrap" if box.confined else "none"
    with (
        Box(command, backend=backend, limits=LIMITS) as broken,
        pytest.raises(Overrun, match="before its first answer: no room on the device"),
    ):
        broken.ask({"setup": []}, 60)


def test_unknown_sandboxes_and_a_missing_bubblewrap_are_refused_in_words(monkeypatch):
    with pytest.raises(ValueError, match="one of auto, bwrap, none"):
        choose_backend("docker")
    monkeypatch.setattr(sandbox, "why_no_bubblewrap", lambda: "it is not installed")
    assert choose_backend("auto") == "none"
    with pytest.raises(ValueError, match="it is not installed"):
        choose_backend("bwrap")


def test_the_whole_labs_time_is_limited():
    start = time.monotonic()
    with Box(RUNNER, backend="none", limits=Limits(lab_s=3.0)) as box, pytest.raises(Overrun, match="time"):
        box.ask({"setup": [["setup", "import time\ntime.sleep(300)"]]}, 300)
    assert time.monotonic() - start < 100

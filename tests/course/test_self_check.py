"""What a student's cells may do to `labkit check`, beyond failing; tests/course/submission has the rest."""

import time

import nbformat
import pytest
from small_labs import code, write

from labkit.cli import main
from labkit.course.self_check import CheckRow, run_checks, table

pytestmark = pytest.mark.heavy

LIMIT_S = 2
STUB = 'raise NotImplementedError("Exercise 9.3")'


def check(tmp_path, *todos, between=()):
    """The rows of a lab whose exercises have these TODO cells and checks that call ``f``."""
    cells = [code("setup", "import os, time", role="setup"), *between]
    for number, source in enumerate(todos, 1):
        cells += [
            code(f"todo-{number}", source, role="todo", id=f"9.{number}"),
            code(f"check-{number}", "assert f() == 1", role="check", id=f"9.{number}", points=1),
        ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    return run_checks(write(tmp_path / "09_lab.ipynb", notebook), limit_s=LIMIT_S)


GOOD = "def f():\n    return 1"


def test_a_cell_that_catches_the_interrupt_is_late_and_the_others_still_run(tmp_path):
    caught = f"try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    pass\n{GOOD}"
    rows = check(tmp_path, caught, GOOD)
    assert rows == [CheckRow("9.1", 1, "not finished within 2 s"), CheckRow("9.2", 1, "ok")]


def test_a_cell_that_ignores_the_interrupt_costs_the_kernel(tmp_path):
    stubborn = "while True:\n    try:\n        time.sleep(60)\n    except KeyboardInterrupt:\n        pass"
    start = time.monotonic()
    rows = check(tmp_path, GOOD, stubborn, GOOD)
    assert time.monotonic() - start < 60
    assert rows[:2] == [CheckRow("9.1", 1, "ok"), CheckRow("9.2", 1, "not finished within 2 s")]
    assert "the kernel died in an earlier cell" in rows[2].verdict


def test_a_kernel_that_dies_after_its_cell_ended_is_noticed(tmp_path):
    later = f"import threading\nthreading.Timer(0.2, os._exit, [1]).start()\n{GOOD}"
    rows = check(tmp_path, later, f"time.sleep(30)\n{GOOD}", GOOD)
    assert "kernel died" in rows[1].verdict
    assert "not run" in rows[2].verdict


def test_a_cell_that_asks_for_input_fails_and_does_not_wait(tmp_path):
    start = time.monotonic()
    rows = check(tmp_path, f"input()\n{GOOD}", "import getpass\ndef f():\n    return getpass.getpass()")
    assert [row.verdict.partition(":")[0] for row in rows] == ["input() cannot be used"] * 2
    assert time.monotonic() - start < 60


def test_a_failing_exercise_names_the_failing_one_that_it_uses(tmp_path):
    uses = "def f():\n    return g(1) - w"
    rows = check(tmp_path, "def g(x, extra): return x\ndef f(): return 2\nw = 0", uses, "w = f = 0")
    assert "uses" not in rows[0].verdict
    assert rows[1].verdict.startswith("it uses 9.1, 9.3, not ok yet; TypeError")
    assert "uses" not in rows[2].verdict


def test_only_setup_todo_and_check_cells_run(tmp_path):
    between = [code("run", "raise SystemExit"), code("predict", "x = (", role="predict")]
    assert check(tmp_path, GOOD, between=between) == [CheckRow("9.1", 1, "ok")]


def test_tags_and_types_of_a_students_cells_do_not_keep_a_check_from_running(tmp_path):
    todo = code("todo", "def f():\n    return 2", role="todo", id="9.1")
    labels = {"labkit": {"role": "check", "id": "9.1", "points": 1}, "tags": ["skip-execution"]}
    for turned in (nbformat.v4.new_raw_cell, nbformat.v4.new_code_cell):
        turned_check = turned("assert f() == 1", id="check", metadata=labels)
        notebook = nbformat.v4.new_notebook(cells=[todo, turned_check])
        (row,) = run_checks(write(tmp_path / "09_lab.ipynb", notebook))
        assert row.verdict.startswith("AssertionError")


def test_a_setup_cell_that_fails_or_is_late_ends_the_check(tmp_path):
    for source, reason in (("1 / 0", "ZeroDivisionError"), ("while True: pass", "not finished within 1 s")):
        cells = [code("setup", source, role="setup"), code("check", "1", role="check", id="9.1")]
        path = write(tmp_path / "09_lab.ipynb", nbformat.v4.new_notebook(cells=cells))
        with pytest.raises(RuntimeError, match=f"setup cell fails.*{reason}"):
            run_checks(path, limit_s=1)


def test_an_emptied_todo_is_not_answered_although_an_earlier_cell_defines_its_name(tmp_path):
    rows = check(tmp_path, GOOD, "# later", f"def f():\n    return 1\n    {STUB}")
    assert [row.verdict for row in rows] == ["ok", "not answered yet", "ok"]
    text = table(rows)
    assert "Next: 9.2." in text
    assert text.splitlines()[2].split() == ["9.2", "1", "not", "answered", "yet"]
    assert "Nothing is left to do." in table(rows[:1])


def test_of_several_labs_it_says_how_far_they_are_together_and_what_is_next(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    (tmp_path / "labs").mkdir()
    for number, todo in (("07", "f = lambda: 1"), ("08", 'raise NotImplementedError("Exercise 08.1")')):
        cells = [
            code("todo", todo, role="todo", id=f"{number}.1"),
            code("check", "assert f() == 1", role="check", id=f"{number}.1", points=1),
        ]
        write(tmp_path / "labs" / f"{number}_lab.ipynb", nbformat.v4.new_notebook(cells=cells))
    (tmp_path / "labs" / "09_lab.ipynb").write_text("{")
    assert main(["check"]) == 2, "one lab cannot be checked"
    shown = capsys.readouterr()
    assert shown.out.endswith("3 labs: 1 visible checks are ok. Next: 08.1.\n")
    assert "09_lab.ipynb: not JSON" in shown.err

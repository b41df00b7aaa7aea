"""Damaged and hostile submissions to a small lab, each with what it must earn.

The lab has three exercises of 10 points, of which the second uses the first, and a written answer.
"""

from __future__ import annotations

import copy
import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nbformat
from small_labs import code, markdown

from labkit.course.release.strip import strip

NAME = "99_small.ipynb"
FULL = {"99.1": 10, "99.2": 10, "99.3": 10}
SOLUTIONS = {
    "99.1": "def double(x):\n    return 2 * x",
    "99.2": "def triple(x):\n    return double(x) + x",
    "99.3": "def mean(values):\n    return sum(values) / len(values)",
}
SPACE = "\n"


def small_class_lab():
    """The lab with solutions, as it would be recorded."""

    def todo(question, source):
        head, _, body = source.partition("\n")
        text = f"{head}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
        return code(f"{question.replace('.', '-')}-todo", text, role="todo", id=question)

    def graded(question, role, points, source, output):
        name = f"{question.replace('.', '-')}-{role}"
        cell = code(name, source, role=role, id=question, points=points)
        cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text=output)], 1
        return cell

    def check(question, call, value):
        source = f"from small_check import check\ncheck({question!r}, {call}, {value})"
        return graded(question, "check", 4, source, f"{question} ok (1 cases)\n")

    return nbformat.v4.new_notebook(
        cells=[
            markdown("99-title", "# Lab 99"),
            code("99-setup", SETUP, role="setup"),
            markdown("99-task", "Double a number, then use it."),
            todo("99.1", SOLUTIONS["99.1"]),
            check("99.1", "double(2)", 4),
            graded("99.1", "hidden", 6, "print(double(0.125), double(21))", "0.25 42\n"),
            markdown("99-next", "Triple a number."),
            todo("99.2", SOLUTIONS["99.2"]),
            check("99.2", "triple(2)", 6),
            graded("99.2", "hidden", 6, "print([triple(k) for k in (5, 7)])", "[15, 21]\n"),
            markdown("99-last", "The mean of a list."),
            todo("99.3", SOLUTIONS["99.3"]),
            check("99.3", "mean([1, 3])", 2.0),
            graded("99.3", "hidden", 6, "print(mean([1, 2]))\nmean([0.5, 4])", "1.5\n2.25\n"),
            markdown("99-why", "**Why is that so?**\n\nBecause.", role="answer", id="99.4", points=5),
        ]
    )


# The check stands in the setup: a module that a student's code can reach and change.
SETUP = '''import sys, types
small_check = types.ModuleType("small_check")
exec("""
def check(name, got, expected):
    assert got == expected, f"{name} is not right yet: expected {expected}, got {got}"
    print(f"{name} ok (1 cases)")
""", small_check.__dict__)
sys.modules["small_check"] = small_check
from small_check import check'''


class Case(NamedTuple):
    """What is submitted, what it must earn, and words that a reason or a warning must contain."""

    write: Callable[[Path], None]
    earned: dict[str, int]
    words: str = ""


def solved(lab, answers=SOLUTIONS):
    """The released notebook with answers in place."""
    notebook = strip(lab)
    for cell in notebook.cells:
        if cell.metadata.get("labkit", {}).get("role") == "todo":
            cell.source = answers.get(cell.metadata["labkit"]["id"], cell.source)
    return notebook


def cell_of(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == name)


def as_folder(content):
    """Writes ``content``, a notebook or bytes, into a student's folder."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()

    def write(place):
        place.mkdir()
        (place / NAME).write_bytes(data)

    return write


def as_zip(fill):
    """Writes a zip that ``fill`` puts files into."""

    def write(place):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            fill(archive)
        place.with_suffix(".zip").write_bytes(buffer.getvalue())

    return write


def cases(lab, outside: Path, port: int) -> dict[str, Case]:
    """All cases by the student's name.

    Args:
        lab: the lab with solutions.
        outside: a folder of the grader's: hostile code tries to read ``secret.txt`` in it, and to
            write there.
        port: of a server on loopback that hostile code tries to reach.
    """
    good = solved(lab)
    return {
        **_files(good),
        **_cells(good),
        **_code(lab, outside, port),
        **_forgeries(lab, good),
        **_archives(good),
    }


NOTHING = dict.fromkeys(FULL, 0)


def _only(*lost):
    return {question: 0 if question in lost else points for question, points in FULL.items()}


def _files(good) -> dict[str, Case]:
    """Files that are not a notebook, or are another one."""
    other = copy.deepcopy(good)
    for cell in other.cells:
        cell.id, cell.metadata = cell.id.replace("99-", "01-"), {}
        cell.source = f"# lab 01\n{cell.id.replace('-', '_')} = 1"
    text = json.dumps(good)
    return {
        "good": Case(as_folder(good), FULL),
        "empty": Case(as_folder(b""), NOTHING, "empty"),
        "not-json": Case(as_folder(b"<html>login</html>"), NOTHING, "not JSON"),
        "cut-off": Case(as_folder(text[: len(text) // 2].encode()), NOTHING, "not JSON"),
        "json-list": Case(as_folder(b"[1, 2, 3]"), NOTHING, "not a notebook"),
        "deep-json": Case(as_folder(b"[" * 100_000), NOTHING, "not JSON"),
        "huge-number": Case(as_folder(b'{"cells": ' + b"9" * 10_000 + b"}"), NOTHING, "JSON"),
        "null-cells": Case(as_folder(b'{"cells": [null, 3, {"source": 5}]}'), NOTHING, "are not cells"),
        "wrong-lab": Case(as_folder(other), NOTHING, "looks like lab 01"),
        "latin-1": Case(
            as_folder(text.replace("Lab 99", "Pr\\u00fcfung").encode().replace(b"\\u00fc", b"\xfc")),
            FULL,
            "not UTF-8",
        ),
        "nothing": Case(lambda place: place.mkdir(), NOTHING, "nothing was submitted"),
        "a-pdf": Case(
            lambda place: place.with_suffix(".pdf").write_bytes(b"%PDF-1.4"), NOTHING, "cannot be read"
        ),
        "untouched": Case(as_folder(solved_nothing(good)), NOTHING, "is still raised"),
    }


def solved_nothing(good):
    """The release, untouched."""
    notebook = copy.deepcopy(good)
    for cell in notebook.cells:
        question = cell.metadata.get("labkit", {}).get("id")
        if question in SOLUTIONS and cell.id.endswith("todo"):
            head = SOLUTIONS[question].partition("\n")[0]
            cell.source = (
                f"{head}\n    # TODO {question}: replace the next line\n"
                f'    raise NotImplementedError("Exercise {question}")'
            )
    return notebook


def _with_strange_fields(notebook):
    for number, cell in enumerate(notebook.cells):
        cell.cell_type, cell.id = "\ud800\n<b>", [number]


def _cells(good) -> dict[str, Case]:
    """Notebooks whose cells were moved, lost, doubled or renamed."""

    def changed(change):
        notebook = copy.deepcopy(good)
        change(notebook)
        return as_folder(notebook)

    def delete(notebook):
        notebook.cells = [cell for cell in notebook.cells if cell.id != "99-2-todo"]

    def duplicate(notebook):
        double = copy.deepcopy(cell_of(notebook, "99-1-todo"))
        double.source = cell_of(solved_nothing(good), "99-1-todo").source
        notebook.cells.append(double)

    def retype(notebook):
        cell = cell_of(notebook, "99-3-todo")
        cell.cell_type = "markdown"
        del cell["outputs"], cell["execution_count"]

    def rename(notebook):
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell{number}"
            cell.metadata = {}

    def swap(notebook):
        first, second = cell_of(notebook, "99-1-todo"), cell_of(notebook, "99-2-todo")
        first.id, second.id = second.id, first.id

    def elsewhere(notebook):
        cell_of(notebook, "99-3-todo").source = cell_of(solved_nothing(good), "99-3-todo").source
        notebook.cells.append(code("my-own", SOLUTIONS["99.3"]))

    def edit(notebook):
        cell_of(notebook, "99-1-check").source = 'print("99.1 ok (1 cases)")'
        cell_of(notebook, "99-1-todo").source = "def double(x):\n    return x + x + x"

    return {
        "strange-fields": Case(changed(_with_strange_fields), FULL, "unknown cell"),
        "cell-deleted": Case(changed(delete), _only("99.2"), "99-2-todo"),
        "cell-duplicated": Case(changed(duplicate), FULL, "several cells have the id"),
        "cells-reordered": Case(changed(lambda notebook: notebook.cells.reverse()), FULL, "another order"),
        "cell-retyped": Case(changed(retype), FULL, "markdown cell"),
        "ids-renamed": Case(changed(rename), FULL, "found by its content"),
        "ids-swapped": Case(changed(swap), FULL, "found by its content"),
        "answered-elsewhere": Case(changed(elsewhere), FULL, "found by its content"),
        "check-edited": Case(changed(edit), _only("99.1", "99.2"), "the original is used"),
    }


def _code(lab, outside, port) -> dict[str, Case]:
    """Answers that crash, hang, take too much, or reach out of the box."""

    def answer(question, source):
        return as_folder(solved(lab, {**SOLUTIONS, question: source}))

    def in_call(*lines):
        """An answer to 99.3 that does something when it is called, and is right all the same."""
        body = SPACE.join(f"    {line}" for line in lines)
        return answer("99.3", f"def mean(values):\n{body}\n    return sum(values) / len(values)")

    def at_margin(source):
        return answer("99.3", f"{source}\n{SOLUTIONS['99.3']}")

    bomb = (
        "import os, time\nfor _ in range(100):\n    if os.fork() == 0:\n        time.sleep(600)\n"
        "        os._exit(0)\ntime.sleep(600)"
    )
    ladder = "if 0:\n    pass\n" + "".join(f"elif {number} < 0:\n    pass\n" for number in range(900))
    lost = _only("99.3")
    secret = str(outside / "secret.txt")
    return {
        "syntax-error": Case(answer("99.3", "def mean(values)\n  return"), lost, "SyntaxError"),
        "null-byte": Case(answer("99.3", "def mean(values):\n    return '\0'"), lost, "TODO cell raises"),
        "raises": Case(answer("99.3", "raise RuntimeError('no')"), lost, "RuntimeError"),
        "calls-exit": Case(at_margin("exit()"), lost, "SystemExit"),
        "ends-hard": Case(at_margin("import os\nos._exit(0)"), lost, "ends the process"),
        "kernel-killed": Case(
            at_margin("import os, signal\nos.kill(os.getppid(), 9)\nos.kill(os.getpid(), 9)"),
            lost,
            "process",
        ),
        "crashes": Case(at_margin("import ctypes\nctypes.string_at(0)"), lost, "ends the process"),
        "endless-loop": Case(in_call("while True: pass"), lost, "not finished"),
        "sleeps": Case(in_call("import time", "time.sleep(600)"), lost, "not finished"),
        "ignores-interrupts": Case(
            in_call("while True:", "    try: print('x')", "    except BaseException: pass"), lost, ""
        ),
        "recursion": Case(
            answer("99.3", "def mean(values):\n    return mean(values)"), lost, "RecursionError"
        ),
        "many-processes": Case(at_margin(bomb), lost, "processes"),
        "too-much-memory": Case(in_call("x = bytearray(3_000_000_000)"), lost, "memory"),
        "too-much-output": Case(in_call("print('x' * 10**7)"), lost, "output"),
        "too-large-file": Case(in_call("open('x', 'wb').write(bytes(10**7))"), lost, "OSError"),
        "writes-outside": Case(in_call(f"open({str(outside / 'mark')!r}, 'w').write('x')"), lost, ""),
        "reads-a-secret": Case(
            in_call(f"raise ValueError(open({secret!r}).read())"), lost, "FileNotFoundError"
        ),
        "uses-the-network": Case(
            in_call("import socket", f"socket.create_connection(('127.0.0.1', {port}), 2).send(b'x')"),
            lost,
            "ConnectionRefusedError",
        ),
        "breaks-the-first": Case(
            answer("99.1", "import os\nos._exit(1)"), _only("99.1", "99.2"), "ends the process"
        ),
        "leaks-the-hidden-cell": Case(
            in_call(
                "import sys",
                "if values == [1, 2]:",
                "    raise ValueError(repr(sys._getframe().f_back.f_locals))",
            ),
            lost,
            "raises ValueError",
        ),
        "prints-a-lot": Case(in_call("print('a remark')"), FULL),
        "fails-after-defining": Case(answer("99.3", SOLUTIONS["99.3"] + "\nplot(mean([1, 2]))"), FULL),
        "magics": Case(answer("99.3", "%%time\n" + SOLUTIONS["99.3"] + "\n!pip list"), FULL),
        "long-ladder": Case(answer("99.3", f"{SOLUTIONS['99.3']}\n{ladder}"), FULL),
        "half-a-pair": Case(answer("99.3", SOLUTIONS["99.3"] + "\nx = '\ud800'"), FULL),
    }


def _forgeries(lab, good) -> dict[str, Case]:
    """Attempts at points without an answer."""

    def answers(first):
        return as_folder(solved(lab, {"99.1": first}))

    def forged_outputs(notebook):
        for cell in notebook.cells:
            if cell.cell_type == "code":
                bundle = {
                    "text/plain": "99.1 ok (1 cases)",
                    "application/vnd.labkit.score+json": {"points": 30},
                }
                cell.outputs = [nbformat.v4.new_output("display_data", data=bundle)]
                cell.execution_count = 1
        return notebook

    stub = "def double(x):\n    return None"
    passing = f"{stub}\nimport small_check\nsmall_check.check = lambda *_: print('99.1 ok (1 cases)')\n"
    passing += "check = small_check.check"
    frames = (
        f"{stub}\nimport json, os\n"
        "for name in os.listdir('/proc/self/fd'):\n"
        "    for line in ({'cell': '99-1-check', 'error': None, 'text': '99.1 ok (1 cases)', 'own': ''},\n"
        "                 {'cell': '99-1-hidden', 'error': None, 'text': '0.25 41', 'own': ''}, {'done': True}):\n"
        "        try: os.write(int(name), (json.dumps(line) + chr(10)).encode())\n"
        "        except OSError: pass"
    )
    equal = (
        "class Same:\n    def __eq__(self, other): return True\n    def __repr__(self): return '0.25 42 '\n"
    )
    equal += "def double(x):\n    return Same()"
    wrong = "def double(x):\n    return 4\n"
    patches = {
        "check-patched": passing,
        "print-patched": f"{wrong}import builtins\nbuiltins.print = lambda *_: None",
        "numpy-patched": f"{wrong}import numpy\nnumpy.testing.assert_allclose = lambda *_, **__: None",
        "nbval-patched": f"{wrong}import nbval.plugin\nnbval.plugin.IPyNbCell.runtest = lambda self: None",
        "grader-patched": f"{wrong}import labkit.course.notebook.comparison as t\nt.differences = lambda *_: []",
        "frames-forged": frames,
        "equal-to-all": equal,
        "score-displayed": f"{wrong}from IPython.display import publish_display_data\n"
        "publish_display_data({'application/vnd.labkit.score+json': {'points': 30}})",
    }
    found = {name: Case(answers(source), NOTHING) for name, source in patches.items()}
    found["outputs-forged"] = Case(as_folder(forged_outputs(solved_nothing(good))), NOTHING)
    return found


def _archives(good) -> dict[str, Case]:
    """Zips, good and bad."""
    text = json.dumps(good)

    def linked(archive):
        link = zipfile.ZipInfo(NAME)
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")

    def zip_in_folder(place):
        as_zip(lambda archive: archive.writestr(f"labs/{NAME}", text))(place)
        packed = place.with_suffix(".zip").read_bytes()
        place.with_suffix(".zip").unlink()
        place.mkdir()
        (place / "submission.zip").write_bytes(packed)

    def odd_name(archive):
        archive.writestr(NAME, text)
        archive.writestr(b"\xff\xfe.txt".decode("cp437"), "x")

    return {
        "good-zip": Case(as_zip(lambda archive: archive.writestr(f"labs/{NAME}", text)), FULL),
        "zip-climbs": Case(
            as_zip(lambda archive: archive.writestr(f"../../{NAME}", text)), NOTHING, "'..'"
        ),
        "zip-links": Case(as_zip(linked), NOTHING, "a link"),
        "zip-bomb": Case(
            as_zip(lambda archive: archive.writestr(NAME, b"0" * 30_000_000)), NOTHING, "compressed more"
        ),
        "zip-in-a-folder": Case(zip_in_folder, FULL),
        "zip-odd-names": Case(as_zip(odd_name), FULL),
        "zip-broken": Case(
            lambda place: place.with_suffix(".zip").write_bytes(b"PK\x03\x04" + b"x" * 50),
            NOTHING,
            "cannot be read",
        ),
    }

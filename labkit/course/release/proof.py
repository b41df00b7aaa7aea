"""Proof that a released lab gives nothing away and is graded as it should be.

Two parts: reading (no solution, model answer or hidden cell is left in the released notebook) and
running (by the gate: the source scores all points, the untouched release none, every stub says
which exercise it is). Leaves out: what a release consists of (:mod:`labkit.course.release.folder`).
"""

from __future__ import annotations

import base64
import json
import keyword
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import nbformat
from nbformat import NotebookNode

from labkit import settings
from labkit.course.notebook.normal_form import to_bytes
from labkit.course.notebook.structure import BEGIN_SOLUTION, END_SOLUTION, cell_info, exercises
from labkit.course.release.strip import AUTHORS_ROLES, SOLUTION, answer_prompt, stub

__all__ = ["Outcome", "faults", "gate", "leaks", "untouched"]

HIDDEN_MIN_WORDS = 5  # a hidden cell calls what all cells call; its inputs are what must not show
EVERYWHERE = re.compile(r"\w+ = copy\.deepcopy\(\w+\)|torch\.manual_seed\(\d+\)")
MIN_WORDS = 3  # of a line, keywords and comments apart; `return result` gives nothing away
COMMENT = re.compile(r"\s#.*$")
SCAFFOLD = re.compile(r"(import|from)\s.*|@.*|.*:")  # imports, decorates or opens a block
VERDICT = re.compile(r"""["'].+["']\s*:\s*(True|False),?""")  # of a true-or-false question
RUN_ROLES = ("setup", "todo", "check", "hidden")
ESCAPES = re.compile(r"(?:\x1b|#x1B)\[[0-9;]*m")  # as such, and as JUnit reports write them


class Outcome(NamedTuple):
    """How a graded cell fared at the gate; ``message`` is empty where it passed."""

    earned: float
    max: float
    message: str


def leaks(source: NotebookNode, released: NotebookNode) -> list[str]:
    """What the released notebook gives away, a sentence each; empty if nothing.

    Looked for in every text of every cell (source, outputs, attachments, metadata), blanks and
    line breaks apart: delimiters, hidden cells, claims, and each telling line of a solution, a model
    answer, a hidden cell or its recorded output. A line tells something if it has at least three
    words or numbers besides Python's keywords and a trailing comment, and does not only open a block
    (``for …:``), import or decorate; or if it answers a true-or-false question (``"key": True``).
    Of a hidden cell five words are needed; copying and seeding a model give nothing away.
    """
    found = [
        f"cell {cell.id} is a {cell_info(cell)['role']} cell"
        for cell in released.cells
        if cell_info(cell).get("role") in AUTHORS_ROLES
    ]
    texts = {cell.id: [_squeezed(text) for text in _texts(cell)] for cell in released.cells}
    secrets = [(_squeezed(mark), "a solution's delimiter") for mark in (BEGIN_SOLUTION, END_SOLUTION)]
    for cell in source.cells:
        secrets += [(_squeezed(line), f"{line!r} of cell {cell.id}") for line in _secret_lines(cell)]
    for place, parts in texts.items():
        told = (what for secret, what in secrets if any(secret in part for part in parts))
        found += [f"cell {place} shows {what}" for what in dict.fromkeys(told)]
    return found


def untouched(source: NotebookNode) -> NotebookNode:
    """The source with a stub in every todo cell and no written answer: what a grader rebuilds from
    a release nobody has worked on."""
    rebuilt = nbformat.from_dict(source)
    for cell in rebuilt.cells:
        found = cell_info(cell)
        if found.get("role") == "todo":
            cell.source = stub(cell.source, found["id"])
        elif found.get("role") == "answer":
            cell.source = answer_prompt(cell.source)
    return rebuilt


def gate(labs: Mapping[str, NotebookNode]) -> dict[str, dict[str, Outcome]]:
    """Run setup, todo, check and hidden cells of each notebook at the gate, in a throw-away folder.

    Args:
        labs: notebooks by a name each, such as "01_sparse".

    Returns:
        by the same names, an outcome a check or hidden cell, by the cell's id.

    Raises:
        RuntimeError: if the gate itself fails; quotes its last line.
    """
    with tempfile.TemporaryDirectory(prefix="labkit-proof-") as folder:
        for name, notebook in labs.items():
            (Path(folder) / f"{name}.ipynb").write_bytes(to_bytes(_graded_part(notebook)))
        command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "--tb=short"]
        options = ["-p", "no:cacheprovider", "--rootdir=.", "--junitxml=report.xml", "."]
        environment = os.environ | {"LABKIT_HOME": str(settings.home()), "PYTEST_ADDOPTS": ""}
        done = subprocess.run(
            [*command, *options], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        report = Path(folder) / "report.xml"
        if done.returncode not in (0, 1) or not report.is_file():
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise RuntimeError(f"the gate did not run: {''.join(last)}")
        return _outcomes(report, labs)


def faults(sources: Mapping[str, NotebookNode]) -> list[str]:
    """What keeps the labs from scoring 100 % solved and 0 % untouched, a sentence each; empty if nothing.

    Also: every stub, called by its check after nothing but the setup cell, raises
    ``NotImplementedError`` with the exercise's name.

    Args:
        sources: labs with solutions, by name.
    """
    solved = gate(sources)
    blank = gate({name: untouched(source) for name, source in sources.items()})
    found = []
    for name, source in sources.items():
        for cell_id, outcome in solved[name].items():
            if outcome.earned < outcome.max:
                found.append(f"{name}: the solution earns nothing in cell {cell_id}: {outcome.message}")
        for cell_id, outcome in blank[name].items():
            if outcome.earned:
                found.append(f"{name}: the untouched release earns {outcome.earned:g} in cell {cell_id}")
        for exercise, cells in exercises(source).items():
            if "check" not in cells:
                continue
            message = f"NotImplementedError: Exercise {exercise}"
            outcome = blank[name].get(cells["check"].id, Outcome(0, 0, "not run"))
            if message not in outcome.message:
                found.append(f"{name}: the stub of {exercise} does not raise {message}: {outcome.message}")
    return found


def _secret_lines(cell: NotebookNode) -> list[str]:
    """The telling lines of a source cell that a release must not show."""
    role, lines = cell_info(cell).get("role"), []
    if role == "todo":
        blocks = [found[0] for found in SOLUTION.finditer(cell.source)]
        lines = [line for block in blocks for line in block.splitlines()[1:-1]]
    elif role == "answer":
        kept = answer_prompt(cell.source).splitlines()
        lines = [line for line in cell.source.splitlines() if line.strip() not in kept]
    elif role == "hidden":
        outputs = [text for output in cell.outputs for text in _strings(output)]
        lines = [line for text in (cell.source, *outputs) for line in text.splitlines()]
    least = HIDDEN_MIN_WORDS if role == "hidden" else MIN_WORDS
    return [shown for shown in (COMMENT.sub("", line).strip() for line in lines) if _tells(shown, least)]


def _tells(line: str, least: int = MIN_WORDS) -> bool:
    """Whether a line would give something away; see :func:`leaks` for the rule."""
    if SCAFFOLD.fullmatch(line) or EVERYWHERE.fullmatch(line):
        return False
    words = [word for word in re.findall(r"\w+", line) if not keyword.iskeyword(word)]
    return len(words) >= least or VERDICT.fullmatch(line) is not None


def _texts(cell: NotebookNode) -> Iterator[str]:
    """Every text of a cell, attachments decoded."""
    yield from _strings(cell)
    for bundle in cell.get("attachments", {}).values():
        for content in bundle.values():
            yield base64.b64decode("".join(_strings(content)) + "==").decode("utf-8", "replace")


def _strings(value: Any) -> Iterator[str]:
    """The strings in nested dicts and lists, keys included; a list of strings also as one text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
        yield "".join(each for each in value if isinstance(each, str))


def _squeezed(text: str) -> str:
    """A text without blanks, so that re-wrapping and re-indenting hide nothing."""
    return "".join(text.split())


def _graded_part(notebook: NotebookNode) -> NotebookNode:
    """The cells that decide the score."""
    part = nbformat.from_dict(notebook)
    part.cells = [cell for cell in part.cells if cell_info(cell).get("role") in RUN_ROLES]
    return part


def _outcomes(report: Path, names: Mapping[str, object]) -> dict[str, dict[str, Outcome]]:
    """The points and messages in a JUnit report."""
    found: dict[str, dict[str, Outcome]] = {name: {} for name in names}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("classname", "").removesuffix(".ipynb")
        failure = case.find("failure")
        text = "" if failure is None else ESCAPES.sub("", failure.text or failure.get("message") or "")
        for each in case.iter("property"):
            if each.get("name") == "points" and name in found:
                points = json.loads(each.get("value", "{}"))
                message = _essence(text)
                found[name][points["cell"]] = Outcome(points["earned"], points["max"], message)
    return found


def _essence(text: str) -> str:
    """The line of a failure that says what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Failed|Exception)\b.*:", line)]
    return (errors or lines or [""])[-1 if errors else 0]

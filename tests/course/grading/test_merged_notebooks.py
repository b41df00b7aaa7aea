"""The notebook of what was graded reproduces a mark by hand."""

import subprocess
import sys

import hostile
import nbformat
import pytest

from labkit.course.grading.merged_notebooks import merged_notebook, write_notebooks
from labkit.course.grading.results import GradedLab
from labkit.course.grading.scoring import mark_lab
from labkit.course.notebook import structure
from labkit.course.notebook.lab_id import LabId
from labkit.files import write_atomically

LAB = LabId("99_small")
WRONG = "def mean(values):\n    return values[0]"


def _source():
    """The lab with solutions, executed and with an experiment."""
    lab = hostile.small_class_lab()
    lab.cells.append(hostile.code("99-run", "double(4)", role="run"))
    for count, cell in enumerate(structure.code_cells(lab), 1):
        cell.execution_count = count
    return lab


def _result(sources):
    attachments = {"99-why": {"a.png": {"image/png": "iVBORw0KGgo="}}}
    return GradedLab("Ann é", LAB, "key", mark_lab(_source(), {}, sources), (), sources, attachments)


SOURCES = {
    "99-1-todo": hostile.SOLUTIONS["99.1"],
    "99-3-todo": WRONG,
    "99-why": "**Why is that so?**\n\nMine.",
}


def test_it_holds_the_students_answers_and_the_labs_checks_with_their_outputs():
    merged = merged_notebook(_source(), _result(SOURCES))
    nbformat.validate(merged)
    cells = {cell.id: cell for cell in merged.cells}
    assert {name: cells[name].source for name in SOURCES} == SOURCES
    assert 'NotImplementedError("Exercise 99.2")' in cells["99-2-todo"].source, "not submitted: no solution"
    assert cells["99-1-hidden"].outputs[0].text == "0.25 42\n"
    assert cells["99-why"].attachments == {"a.png": {"image/png": "iVBORw0KGgo="}}
    assert "99-run" not in cells
    assert "without a sandbox" in merged.cells[0].source


@pytest.mark.heavy
def test_nbval_judges_it_as_grading_did(tmp_path):
    write_atomically(tmp_path / "labs" / f"{LAB}.ipynb", nbformat.writes(_source()).encode())
    folder = write_notebooks(tmp_path, [tmp_path / "labs" / f"{LAB}.ipynb"], [_result(SOURCES)])
    (path,) = folder.glob(f"Ann*/{LAB}.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", str(path), "-rA"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    verdicts = dict(
        reversed(line.split()[:2])
        for line in done.stdout.splitlines()
        if line.startswith(("PASSED", "FAILED"))
    )
    names = {name.rpartition("::")[2]: verdict for name, verdict in verdicts.items()}
    graded = {name: names[name] for name in names if name.endswith(("check", "hidden"))}
    assert graded == {
        "99-1-check": "PASSED",
        "99-1-hidden": "PASSED",
        "99-2-check": "FAILED",
        "99-2-hidden": "FAILED",
        "99-3-check": "FAILED",
        "99-3-hidden": "FAILED",
    }

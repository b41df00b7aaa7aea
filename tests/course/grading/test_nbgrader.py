"""nbgrader takes the labs as they are: it makes a release of them and validates their graded cells."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from labkit.course.notebook.normal_form import normalise, to_bytes

pytestmark = pytest.mark.heavy

pytest.importorskip("nbgrader", reason="needs nbgrader: pip install -e '.[nbgrader]'")

LABS = sorted((Path(__file__).parents[3] / "labs").glob("*.ipynb"))
NEEDED = ("setup", "todo", "check", "hidden")
PATIENCE_S = 900  # for a busy machine


def nbgrader(folder: Path, *words: str) -> str:
    """What ``nbgrader …`` says, run in a folder."""
    environment = {**os.environ, "JUPYTER_NO_CONFIG": "1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "nbgrader", *words]
    result = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout + result.stderr


def recorded(lab: Path) -> nbformat.NotebookNode:
    """The lab in the form that recording gives it, which sets nbgrader's metadata."""
    return normalise(nbformat.read(lab, as_version=4))


def without_experiments(source: Path, target: Path) -> Path:
    """A copy with the cells that answer and check only: the rest takes minutes and has no grade."""
    notebook = nbformat.read(source, as_version=4)
    notebook.cells = [
        cell for cell in notebook.cells if cell.metadata.get("labkit", {}).get("role") in NEEDED
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    return target


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What nbgrader makes for students of every lab."""
    course = tmp_path_factory.mktemp("course")
    (course / "source" / "labs").mkdir(parents=True)
    for lab in LABS:
        (course / "source" / "labs" / lab.name).write_bytes(to_bytes(recorded(lab)))
    nbgrader(course, "generate_assignment", "labs", "--no-db")
    return course / "release" / "labs"


def test_a_release_holds_every_lab(release: Path) -> None:
    assert [path.name for path in sorted(release.glob("*.ipynb"))] == [lab.name for lab in LABS]


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.stem)
def test_a_release_holds_no_solution_and_every_graded_cell(release: Path, lab: Path) -> None:
    source, made = recorded(lab), nbformat.read(release / lab.name, as_version=4)
    points = [
        [(cell.id, cell.metadata.nbgrader.points) for cell in notebook.cells if _is_graded(cell)]
        for notebook in (source, made)
    ]
    assert points[0] == points[1]
    assert sum(value for _, value in points[0]) == (0 if lab.name.startswith("00_") else 100)
    todo = [cell for cell in made.cells if cell.metadata.get("labkit", {}).get("role") == "todo"]
    assert todo
    for cell in todo:
        assert "NotImplementedError" in cell.source
        assert "SOLUTION" not in cell.source


def _is_graded(cell: nbformat.NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


@pytest.mark.parametrize(
    "lab",
    [pytest.param(lab, marks=() if lab is LABS[0] else pytest.mark.slow, id=lab.stem) for lab in LABS],
)
def test_solutions_validate(tmp_path: Path, lab: Path) -> None:
    copy = without_experiments(lab, tmp_path / lab.name)
    assert "Success! Your notebook passes all the tests." in nbgrader(tmp_path, "validate", copy.name)


def test_an_untouched_release_does_not_validate(release: Path, tmp_path: Path) -> None:
    copy = without_experiments(release / LABS[0].name, tmp_path / LABS[0].name)
    output = nbgrader(tmp_path, "validate", copy.name)
    assert "VALIDATION FAILED ON" in output
    assert "NotImplementedError" in output

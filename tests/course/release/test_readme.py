"""The student's README: the labs of the release with their minutes, and where things run."""

from __future__ import annotations

import re

import pytest
from small_labs import small_lab

from labkit import settings
from labkit.course.notebook.structure import read_lab
from labkit.course.release.folder import STUDENT_FILES
from labkit.course.release.readme import minutes_of_work, with_labs

LABS = sorted((settings.home() / "labs").glob("[0-9][0-9]_*.ipynb"))
TEXT = (STUDENT_FILES / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d\d) \| \[(.+)\]\(labs/(.+)\.ipynb\) \| (.+) \|$", re.MULTILINE)


def test_the_readme_lists_the_released_labs_with_the_minutes_that_they_state():
    labs = {path.stem: read_lab(path) for path in LABS[1:3]}
    labs["99_lab"] = small_lab()
    rows = ROW.findall(with_labs(TEXT, labs))
    assert [(number, name) for number, _, name, _ in rows] == [(name[:2], name) for name in labs]
    assert rows[0][1:] == ("Sparse linear models", "01_sparse_linear_models", "120")
    assert rows[2][3] == "not stated"


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem[:2])
def test_every_lab_states_its_minutes_and_the_repositorys_readme_says_the_same(path):
    minutes = minutes_of_work(read_lab(path))
    readme = (settings.home() / "README.md").read_text(encoding="utf-8")
    assert minutes is not None
    assert re.search(
        rf"^\| {path.stem[:2]} \| .*\({re.escape(f'labs/{path.name}')}\).* \| {minutes} \|$", readme, re.M
    )


def test_a_readme_without_a_place_for_the_labs_is_refused():
    with pytest.raises(ValueError, match="the table of the labs"):
        with_labs("# Labs", {})


def test_windows_hosted_notebooks_and_torch_without_cuda_are_explained():
    assert r"py -3.12 -m venv .venv" in TEXT
    assert r".venv\Scripts\labkit pack" in TEXT
    assert "--torch-backend=cpu -c constraints.txt -e ." in TEXT
    assert "%pip install -c constraints.txt -e ." in TEXT


def test_jupyterlab_opens_where_the_readme_is():
    makefile = (STUDENT_FILES / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"jupyter lab\b.*", makefile) == ["jupyter lab"]
    assert "jupyter lab labs" not in TEXT

import json

import nbformat
import pytest
from small_labs import TODO, cell_of, code, markdown, small_lab, write

from labkit.course.notebook import structure


@pytest.fixture
def path(tmp_path):
    return tmp_path / "99_small.ipynb"


def test_a_well_formed_lab_is_read_with_its_exercises(path):
    notebook = structure.read_lab(write(path, small_lab()))
    exercises = structure.exercises(notebook)
    assert {name: list(cells) for name, cells in exercises.items()} == {
        "99.1": ["todo", "check", "hidden"],
        "99.2": ["answer"],
    }
    assert exercises["99.1"]["todo"].source == TODO
    assert [cell.id for cell in structure.code_cells(notebook)][:2] == ["99-setup", "99-1-todo"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ('{"cells": [', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a notebook"),
        ('"cells"', "not a notebook"),
        ("{}", "not a notebook"),
        ('{"cells": [], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}', "format 3.0, expected 4.5"),
        ('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}', "format 4.4, expected 4.5"),
        ('{"cells": [], "metadata": {}, "nbformat": 4}', "format 4.None"),
        ('{"cells": 7, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "not a valid notebook"),
        ('{"cells": [{}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "not a valid notebook"),
    ],
)
def test_a_file_that_is_not_a_notebook_is_refused_by_name(path, content, message):
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"99_small\.ipynb: .*{message}"):
        structure.read_notebook(path)


def test_bytes_that_are_not_text_are_refused(path):
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not JSON"):
        structure.read_notebook(path)


def test_a_missing_file_is_an_os_error(path):
    with pytest.raises(FileNotFoundError):
        structure.read_notebook(path)


def test_cells_that_share_an_id_are_refused_not_renamed(path):
    content = json.loads(nbformat.writes(small_lab()))
    content["cells"][2]["id"] = "99-title"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match="several cells have the id 99-title"):
        structure.read_notebook(path)


def test_a_cell_without_an_id_is_refused(path):
    content = json.loads(nbformat.writes(small_lab()))
    del content["cells"][2]["id"]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=r"not a valid notebook .*'id' is a required property"):
        structure.read_notebook(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_notebook_is_read_in_the_encodings_of_other_editors(path, encoding):
    path.write_bytes(nbformat.writes(small_lab()).replace("Double", "Größe").encode(encoding))
    assert "Größe a number." in cell_of(structure.read_notebook(path), "99-task").source


def test_a_lab_without_ids_is_refused_with_advice_that_works(path):
    """JupyterLab keeps the format of a file, so opening and saving it there would not help."""
    path.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}', encoding="utf-8")
    with pytest.raises(ValueError, match="restore it from its last good version"):
        structure.read_notebook(path)


def _without(name):
    def change(notebook):
        notebook.cells = [cell for cell in notebook.cells if cell.id != name]

    return change


def _with_labels(name, **labels):
    return lambda notebook: cell_of(notebook, name).metadata["labkit"].update(labels)


def _with_source(name, source):
    return lambda notebook: cell_of(notebook, name).update(source=source)


def _append(cell):
    return lambda notebook: notebook.cells.append(cell)


def _check_first(notebook):
    notebook.cells[3], notebook.cells[4] = notebook.cells[4], notebook.cells[3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("99-1-check"), "exercise 99.1 has no check cell"),
        (_without("99-1-hidden"), "exercise 99.1 has no hidden cell"),
        (_without("99-1-todo"), "exercise 99.1 has no todo cell"),
        (_check_first, "exercise 99.1 has its cells in the order check, todo, hidden"),
        (_append(code("extra", "1", role="check", id="99.1")), "exercise 99.1 has more than one check"),
        (
            _append(markdown("extra", "**Why?**", role="answer", id="99.2")),
            "exercise 99.2 has more than one answer",
        ),
        (_with_labels("99-table", role="experiment"), "cell 99-table has the role 'experiment'"),
        (_with_labels("99-table", role="text"), "cell 99-table is code but has the role text"),
        (_with_labels("99-title", role="run"), "cell 99-title is markdown but has the role run"),
        (_append(nbformat.v4.new_markdown_cell("", id="bare")), "cell bare has the role None"),
        (_append(nbformat.v4.new_raw_cell("", id="raw", metadata={"labkit": {"role": "run"}})), "is raw"),
        (_with_labels("99-table", tolerance=1), "unknown label tolerance"),
        (_with_labels("99-table", atol=-0.5), "atol = -0.5"),
        (_with_labels("99-table", rtol="1e-6"), "rtol = '1e-6'"),
        (_with_labels("99-table", points=True), "points = True"),
        (_with_labels("99-table", timeout=float("nan")), "timeout = nan"),
        (_with_labels("99-table", compare=0), "compare = 0"),
        (_with_labels("99-1-check", compare=False), "has the role check but is not compared"),
        (_with_labels("99-1-hidden", compare=False), "has the role hidden but is not compared"),
        (_with_labels("99-setup", compare=False), "has the role setup but is not compared"),
        (_with_source("99-1-hidden", " \n"), "cell 99-1-hidden has the role hidden but no code"),
        (_with_labels("99-1-check", id=""), "cell 99-1-check has the role check but no exercise id"),
        (lambda notebook: notebook.cells[0].update(id="a b"), "not a valid notebook"),
        (_with_source("99-1-todo", "pass"), "99-1-todo has unbalanced or missing solution delimiters"),
        (_with_source("99-1-todo", TODO.replace("END", "BEGIN")), "99-1-todo has unbalanced"),
        (_with_source("99-1-todo", TODO + "\n### END SOLUTION"), "99-1-todo has unbalanced"),
        (_with_source("99-1-todo", "### END SOLUTION\n### BEGIN SOLUTION"), "99-1-todo has unbalanced"),
        (_with_source("99-table", "### BEGIN SOLUTION\n1"), "99-table is not a todo cell"),
    ],
)
def test_a_lab_that_is_not_well_formed_is_refused_with_the_place_and_a_remedy(path, change, message):
    notebook = small_lab()
    change(notebook)
    with pytest.raises(ValueError, match=rf"^99_small\.ipynb: .*({message}).*; .+\.$"):
        structure.read_lab(write(path, notebook))


@pytest.mark.parametrize("role", ["run", "summary"])
@pytest.mark.parametrize("compare", [True, False])
def test_a_cell_that_shows_results_need_not_be_compared(path, role, compare):
    notebook = small_lab()
    _with_labels("99-table", role=role, compare=compare)(notebook)
    assert (
        structure.cell_info(cell_of(structure.read_lab(write(path, notebook)), "99-table")).compare
        is compare
    )


def test_two_solutions_in_one_todo_cell_are_allowed(path):
    notebook = small_lab()
    cell_of(notebook, "99-1-todo").source = f"{TODO}\n\n{TODO.replace('double', 'twice')}"
    structure.read_lab(write(path, notebook))

"""An exercise or a lab is put back as it was released, and what the student had is never lost."""

import copy
import json

import nbformat
import pytest
from small_labs import cell_of, code, small_lab, write

from labkit.cli import main
from labkit.course.notebook import structure
from labkit.course.notebook.normal_form import to_bytes
from labkit.course.release import reset
from labkit.course.release.folder import MANIFEST, PRISTINE
from labkit.course.release.strip import strip
from labkit.files import digest

pytestmark = pytest.mark.heavy

BASE = strip(small_lab())
ANSWER = 'def double(x):\n    """Mine."""\n    return x + x  # é'
WRITTEN = "Because it doubles."


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A student's folder with both exercises answered and a cell added."""
    files = {"labs/99_lab.ipynb": to_bytes(BASE), f"{PRISTINE}/99_lab.ipynb": to_bytes(BASE)}
    hashes = {name: digest(content) for name, content in files.items()}
    files[MANIFEST] = json.dumps({"format": 1, "release": "x", "files": hashes}).encode()
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    notebook = copy.deepcopy(BASE)
    cell_of(notebook, "99-1-todo").source = ANSWER
    cell_of(notebook, "99-1-check").outputs = [nbformat.v4.new_output("stream", text="ok\n")]
    cell_of(notebook, "99-answer").source = WRITTEN
    notebook.cells.append(code("mine", "double(3)"))
    write(tmp_path / "labs/99_lab.ipynb", notebook)
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    return tmp_path


def _cells(home):
    notebook = structure.read_notebook(home / "labs/99_lab.ipynb")
    nbformat.validate(notebook)
    return {cell.id: cell.source for cell in notebook.cells}


def test_one_exercise_is_put_back_and_the_others_stay(home, capsys):
    before = (home / "labs/99_lab.ipynb").read_bytes()
    assert main(["reset", "99.1"]) == 0
    expected = {cell.id: cell.source for cell in BASE.cells} | {"99-answer": WRITTEN, "mine": "double(3)"}
    assert _cells(home) == expected
    assert cell_of(structure.read_notebook(home / "labs/99_lab.ipynb"), "99-1-check").outputs == []
    backup = home / ".labkit/backup-1"
    assert (backup / "labs/99_lab.ipynb").read_bytes() == before
    assert (backup / "99-1-todo.py").read_text(encoding="utf-8") == ANSWER
    assert str(backup) in capsys.readouterr().out


def test_a_second_reset_changes_nothing_and_makes_no_backup(home, capsys):
    main(["reset", "99.1"])
    before = (home / "labs/99_lab.ipynb").read_bytes()
    assert main(["reset", "99.1"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert (home / "labs/99_lab.ipynb").read_bytes() == before
    assert not (home / ".labkit/backup-2").exists()


def test_a_written_answer_is_put_back_to_its_question(home):
    assert main(["reset", "99.2"]) == 0
    assert _cells(home)["99-answer"] == cell_of(BASE, "99-answer").source
    assert _cells(home)["99-1-todo"] == ANSWER
    assert (home / ".labkit/backup-1/99-answer.md").read_text(encoding="utf-8") == WRITTEN


def test_deleted_cells_come_back_in_their_place(home):
    notebook = structure.read_notebook(home / "labs/99_lab.ipynb")
    notebook.cells = [cell for cell in notebook.cells if not cell.id.startswith("99-1-")]
    write(home / "labs/99_lab.ipynb", notebook)
    assert main(["reset", "99.1"]) == 0
    assert list(_cells(home)) == [*(cell.id for cell in BASE.cells), "mine"]


def test_a_cell_turned_into_text_becomes_code_again(home):
    notebook = structure.read_notebook(home / "labs/99_lab.ipynb")
    place = [cell.id for cell in notebook.cells].index("99-1-todo")
    notebook.cells[place] = nbformat.v4.new_markdown_cell(ANSWER, id="99-1-todo")
    write(home / "labs/99_lab.ipynb", notebook)
    assert main(["reset", "99.1"]) == 0
    assert cell_of(structure.read_notebook(home / "labs/99_lab.ipynb"), "99-1-todo").cell_type == "code"
    assert (home / ".labkit/backup-1/99-1-todo.md").read_text(encoding="utf-8") == ANSWER


def test_a_notebook_without_ids_can_be_reset_and_gets_them_back(home):
    path = home / "labs/99_lab.ipynb"
    content = json.loads(path.read_bytes())
    content["nbformat_minor"] = 4
    for cell in content["cells"]:
        del cell["id"]
    path.write_text(json.dumps(content), encoding="utf-8-sig")
    assert main(["reset", "99.1"]) == 0
    assert _cells(home)["99-1-todo"] == cell_of(BASE, "99-1-todo").source
    assert _cells(home)["99-answer"] == WRITTEN


@pytest.mark.parametrize("name", ["99", "99_lab"])
def test_a_whole_lab_is_put_back_only_if_told_to(home, capsys, name):
    before = (home / "labs/99_lab.ipynb").read_bytes()
    assert main(["reset", name]) == 2
    errors = capsys.readouterr().err
    assert "--yes" in errors
    assert "99.1, 99.2" in errors, "it names the answers that would go"
    assert (home / "labs/99_lab.ipynb").read_bytes() == before
    assert main(["reset", name, "--yes"]) == 0
    assert (home / "labs/99_lab.ipynb").read_bytes() == to_bytes(BASE)
    assert (home / ".labkit/backup-1/labs/99_lab.ipynb").read_bytes() == before


def test_a_damaged_or_deleted_notebook_can_be_put_back(home, capsys):
    path = home / "labs/99_lab.ipynb"
    path.write_bytes(b"{")
    assert main(["reset", "99.1"]) == 2
    assert "labkit reset 99 --yes" in capsys.readouterr().err
    assert main(["reset", "99", "--yes"]) == 0
    assert (home / ".labkit/backup-1/labs/99_lab.ipynb").read_bytes() == b"{"
    path.unlink()
    assert main(["reset", "99"]) == 0
    assert path.read_bytes() == to_bytes(BASE)


def test_a_full_disk_leaves_the_answer_where_it_was(home, monkeypatch):
    before = (home / "labs/99_lab.ipynb").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reset, "write_atomically", full)
    assert main(["reset", "99.1"]) == 2
    assert (home / "labs/99_lab.ipynb").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "words"),
    [("99.7", "there are 99.1, 99.2"), ("42.1", "no lab that begins"), ("x", "no lab that")],
)
def test_a_name_that_does_not_exist_is_refused_and_those_that_do_are_listed(home, capsys, name, words):
    before = (home / "labs/99_lab.ipynb").read_bytes()
    assert main(["reset", name]) == 2
    assert words in capsys.readouterr().err
    assert (home / "labs/99_lab.ipynb").read_bytes() == before


def test_the_source_with_solutions_is_never_blanked(home, capsys):
    (home / MANIFEST).unlink()
    before = (home / "labs/99_lab.ipynb").read_bytes()
    for arguments in (["99.1"], ["99", "--yes"]):
        assert main(["reset", *arguments]) == 2
        assert "not a released folder" in capsys.readouterr().err
    assert (home / "labs/99_lab.ipynb").read_bytes() == before

import copy
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_labs import cell_of, code, markdown, small_lab, write
from strategies import SETTINGS

from labkit.course.notebook import structure
from labkit.course.notebook.normal_form import to_bytes
from labkit.course.release import update
from labkit.course.release.folder import MANIFEST, PRISTINE, STUDENT_FILES
from labkit.course.release.merge import merge
from labkit.course.release.strip import strip
from labkit.files import digest

pytestmark = pytest.mark.heavy

ANSWER = 'def double(x):\n    """Twice ``x``."""\n    return x + x'


BASE = strip(small_lab())


def _base():
    return copy.deepcopy(BASE)


def _edited(changes, notebook=None):
    """A released notebook with new sources by cell id."""
    edited = copy.deepcopy(notebook or _base())
    for name, source in changes.items():
        cell_of(edited, name).source = source
    return edited


def _sources(merged):
    return {cell.id: cell.source for cell in merged.notebook.cells}


def test_nothing_new_changes_nothing():
    local = _edited({"99-1-todo": ANSWER, "99-table": "mine()"})
    merged = merge(_base(), local, _base())
    assert [(cell.id, cell.source) for cell in merged.notebook.cells] == [
        (cell.id, cell.source) for cell in local.cells
    ]
    assert merged.notes == []


def test_what_the_student_did_not_edit_takes_the_new_version():
    remote = _edited({"99-task": "Double any number.", "99-table": "print(1)", "99-1-check": "check()"})
    merged = merge(_base(), _edited({"99-1-todo": ANSWER}), remote)
    assert _sources(merged) == {**_sources(merge(remote, remote, remote)), "99-1-todo": ANSWER}
    assert sorted(merged.notes) == [f"99-{name}: new version" for name in ("1-check", "table", "task")]


def test_an_answer_keeps_its_output_and_takes_new_points():
    local = _edited({"99-1-todo": ANSWER})
    cell_of(local, "99-1-todo").outputs = [nbformat.v4.new_output("stream", text="mine\n")]
    remote = _base()
    cell_of(remote, "99-answer").metadata.labkit.points = 25
    merged = merge(_base(), local, remote).notebook
    assert cell_of(merged, "99-1-todo").outputs[0].text == "mine\n"
    assert cell_of(merged, "99-answer").metadata.labkit.points == 25


def test_a_changed_signature_leaves_the_code_and_says_so():
    changed = cell_of(_base(), "99-1-todo").source.replace("double(x)", "double(x, times)")
    merged = merge(_base(), _edited({"99-1-todo": ANSWER}), _edited({"99-1-todo": changed}))
    cells = merged.notebook.cells
    place = [cell.id for cell in cells].index("99-1-todo")
    assert cells[place].source == ANSWER
    assert cells[place - 1].cell_type == "markdown"
    assert "the signature of 99.1 has changed" in cells[place - 1].source
    assert "def double(x, times):" in cells[place - 1].source
    assert "the signature of 99.1 has changed" in merged.notes[0]
    nbformat.validate(merged.notebook)


def test_a_changed_wording_is_told_apart_from_a_changed_signature():
    changed = cell_of(_base(), "99-1-todo").source.replace("Twice", "Two times")
    merged = merge(_base(), _edited({"99-1-todo": ANSWER}), _edited({"99-1-todo": changed}))
    assert "the wording of 99.1 has changed" in merged.notes[0]


def test_an_unanswered_exercise_takes_the_new_signature_without_a_note():
    changed = cell_of(_base(), "99-1-todo").source.replace("double(x)", "double(x, times)")
    merged = merge(_base(), _base(), _edited({"99-1-todo": changed}))
    assert _sources(merged)["99-1-todo"] == changed
    assert len(merged.notebook.cells) == len(_base().cells)


def test_of_a_cell_both_changed_both_are_kept():
    local = _edited({"99-table": "mine()", "99-task": "My notes."})
    merged = merge(_base(), local, _edited({"99-table": "new()", "99-task": "New."}))
    cells = merged.notebook.cells
    names = [cell.id for cell in cells]
    for name, remote, mine in (("99-table", "new()", "mine()"), ("99-task", "New.", "My notes.")):
        place = names.index(name)
        assert cells[place].source == remote
        assert cells[place + 1].source.endswith(f"\n{mine}")
        assert "Your version" in cells[place + 1].source
        assert "points" not in cells[place + 1].metadata.labkit


def test_new_cells_stand_in_place_and_the_students_beside_their_neighbours():
    local = _base()
    local.cells.insert(4, code("mine", "double(3)"))
    local.cells.insert(0, markdown("first", "My name"))
    remote = _base()
    remote.cells.insert(3, markdown("hint", "A hint."))
    names = [cell.id for cell in merge(_base(), local, remote).notebook.cells]
    assert names[:7] == ["first", "99-title", "99-setup", "99-task", "hint", "99-1-todo", "mine"]


def test_a_cell_removed_upstream_goes_unless_the_student_edited_it():
    remote = _base()
    remote.cells = [cell for cell in remote.cells if cell.id not in ("99-1-todo", "99-table", "99-between")]
    merged = merge(_base(), _edited({"99-1-todo": ANSWER}), remote)
    assert _sources(merged)["99-1-todo"] == ANSWER
    assert {"99-table", "99-between"}.isdisjoint(_sources(merged))
    assert "99-1-todo: no longer in the lab; kept, since you edited it" in merged.notes


def test_what_grading_needs_is_put_back_and_other_deletions_stay():
    local = _base()
    local.cells = [cell for cell in local.cells if cell.id not in ("99-1-check", "99-between")]
    merged = merge(_base(), local, _base())
    assert "99-1-check" in _sources(merged)
    assert "99-between" not in _sources(merged)


def test_an_answer_turned_into_another_type_of_cell_is_kept_beside_the_new_one():
    local = _base()
    place = [cell.id for cell in local.cells].index("99-1-todo")
    local.cells[place] = nbformat.v4.new_raw_cell(ANSWER, id="99-1-todo")
    merged = merge(_base(), local, _base())
    assert _sources(merged)["99-1-todo"] == cell_of(_base(), "99-1-todo").source
    assert any(cell.source.endswith(ANSWER) for cell in merged.notebook.cells)
    nbformat.validate(merged.notebook)


TEXTS = st.sampled_from(["", "a", "b", "def double(x, y):\n    return y", "Some words."])
NAMES = [cell.id for cell in _base().cells]


@st.composite
def _versions(draw, *, added):
    """A released notebook with random edits, deletions, additions and moves."""
    notebook = _base()
    for cell in notebook.cells:
        if draw(st.booleans()):
            cell.source = draw(TEXTS)
    notebook.cells = [cell for cell in notebook.cells if draw(st.integers(0, 4))]
    for number in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(notebook.cells)))
        own = {**BASE.cells[-1], "id": f"{added}{number}", "source": draw(TEXTS)}
        notebook.cells.insert(place, nbformat.from_dict(own))
    if draw(st.booleans()):
        notebook.cells = draw(st.permutations(notebook.cells))
    return notebook


@SETTINGS
@given(_versions(added="mine-"), _versions(added="new-"), st.booleans())
def test_no_answer_is_ever_lost(local, remote, again):
    base = _base()
    merged = merge(base, local, remote).notebook
    if again:  # a later release, and the first of these as the base
        merged = merge(remote, merged, base).notebook
    released = {(cell.id, cell.source) for cell in (*base.cells, *(remote.cells if again else []))}
    for cell in local.cells:
        if (cell.id, cell.source) not in released:
            assert any(
                kept.source == cell.source or kept.source.endswith(f"\n{cell.source}")
                for kept in merged.cells
            )
    ids = [cell.id for cell in merged.cells]
    assert len(set(ids)) == len(ids)


@SETTINGS
@given(_versions(added="mine-"), _versions(added="new-"))
def test_merging_twice_is_merging_once(local, remote):
    once = merge(_base(), local, remote).notebook
    twice = merge(_base(), once, remote).notebook
    assert [(cell.id, cell.source) for cell in twice.cells] == [
        (cell.id, cell.source) for cell in once.cells
    ]


@SETTINGS
@given(_versions(added="mine-"), _versions(added="new-"))
def test_every_cell_of_the_new_release_is_there_in_its_order(local, remote):
    merged = merge(_base(), local, remote).notebook
    names = [cell.id for cell in remote.cells]
    deleted = set(NAMES) - {cell.id for cell in local.cells}
    kept = [cell.id for cell in merged.cells if cell.id in names]
    assert [name for name in names if name in kept] == kept
    assert set(names) - set(kept) <= deleted


def _release(notebook, **others):
    """A release of one lab as files by name."""
    files = {
        "labs/99_lab.ipynb": to_bytes(notebook),
        PRISTINE + "/99_lab.ipynb": to_bytes(notebook),
    }
    files |= {name.replace("__", "/"): content for name, content in others.items()}
    hashes = {name: digest(content) for name, content in files.items()}
    manifest = {"format": 1, "release": "x", "files": hashes}
    return {**files, MANIFEST: json.dumps(manifest).encode()}


def _unpack(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _snapshot(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and "backup-" not in str(path))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def folder(tmp_path):
    """A student's folder with an answer, a note and a data cache."""
    _unpack(
        tmp_path, _release(_base(), labkit__a=b"1", labkit__b=b"1", labkit__old=b"1", labkit__mine=b"1")
    )
    write(tmp_path / "labs/99_lab.ipynb", _edited({"99-1-todo": ANSWER}))
    (tmp_path / "labkit/mine").write_text("changed")
    (tmp_path / "notes.txt").write_text("notes")
    return tmp_path


def test_the_command_that_students_are_told_updates_from_the_newer_folder(folder, tmp_path_factory):
    beside = tmp_path_factory.mktemp("beside")
    (beside / "mylabs").symlink_to(folder)
    _unpack(beside / "newer", _release(_edited({"99-task": "New."}), **NEW))
    command = beside / "mylabs/.venv/bin/labkit"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m labkit.cli "$@"\n')
    command.chmod(0o755)
    text = (STUDENT_FILES / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^.*labkit release --update.*$", text, re.MULTILINE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LABKIT_")}
    done = subprocess.run(
        line, shell=True, cwd=beside / "newer", env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    merged = structure.read_notebook(folder / "labs/99_lab.ipynb")
    assert cell_of(merged, "99-1-todo").source == ANSWER
    assert cell_of(merged, "99-task").source == "New."


NEW = {"labkit__a": b"2", "labkit__b": b"1", "labkit__mine": b"2", "labkit__new": b"2"}


def test_a_folder_in_use_is_brought_to_the_new_release(folder):
    before = _snapshot(folder)
    new = _release(_edited({"99-task": "New."}), **NEW)
    notes = update.update(folder, new)
    after = _snapshot(folder)
    merged = structure.read_notebook(folder / "labs/99_lab.ipynb")
    assert cell_of(merged, "99-1-todo").source == ANSWER
    assert cell_of(merged, "99-task").source == "New."
    assert "labkit/old" not in after
    assert {name: after[name] for name in new if not name.startswith("labs/")} == {
        name: new[name] for name in new if not name.startswith("labs/")
    }
    assert after["notes.txt"] == b"notes"
    backup = folder / ".labkit/backup-1"
    assert {name: before[name] for name in _snapshot(backup)} == _snapshot(backup)
    assert (backup / "labkit/mine").read_text() == "changed"
    assert "labs/99_lab.ipynb, cell 99-task: new version" in notes
    assert "labkit/mine: new version; yours is in the backup" in notes
    assert update.update(folder, new) == ["nothing to do: the folder already has this release"]


def test_a_lab_that_a_release_leaves_out_stays_and_can_still_be_merged_later(tmp_path):
    other = dict.fromkeys(("labs/98_lab.ipynb", f"{PRISTINE}/98_lab.ipynb"), to_bytes(_base()))
    _unpack(tmp_path, _release(_base(), **other))
    write(tmp_path / "labs/98_lab.ipynb", _edited({"99-1-todo": ANSWER}))
    update.update(tmp_path, _release(_edited({"99-task": "New."})))
    assert (tmp_path / PRISTINE / "98_lab.ipynb").read_bytes() == to_bytes(_base())
    corrected = to_bytes(_edited({"99-task": "New."}))
    notes = update.update(
        tmp_path, _release(_edited({"99-task": "New."}), **dict.fromkeys(other, corrected))
    )
    merged = structure.read_notebook(tmp_path / "labs/98_lab.ipynb")
    assert cell_of(merged, "99-1-todo").source == ANSWER
    assert cell_of(merged, "99-task").source == "New."
    assert len(merged.cells) == len(_base().cells)
    assert "labs/98_lab.ipynb, cell 99-task: new version" in notes


@pytest.mark.parametrize("failing", range(8))
def test_a_failure_midway_puts_everything_back(folder, monkeypatch, failing):
    before = _snapshot(folder)
    calls = []

    def fail_once(path, content):
        if "backup-" not in str(path):
            calls.append(path)
            if len(calls) == failing + 1:
                raise OSError(28, "No space left on device")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    monkeypatch.setattr(update, "write_atomically", fail_once)
    new = _release(_edited({"99-task": "New."}), **NEW)
    if failing < 6:
        with pytest.raises(OSError, match="No space left"):
            update.update(folder, new)
        assert _snapshot(folder) == before
    else:  # there are six files to write
        update.update(folder, new)
        assert len(calls) == 6


@pytest.mark.parametrize("written", range(6))
def test_after_a_kill_midway_a_second_start_finishes(folder, monkeypatch, written):
    new = _release(_edited({"99-task": "New.", "99-1-todo": "def double(y):\n    pass"}), **NEW)
    calls = []

    def stop(path, content):
        if "backup-" not in str(path):
            calls.append(path)
            if len(calls) > written:
                raise KeyboardInterrupt
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    with monkeypatch.context() as patch:
        patch.setattr(update, "write_atomically", stop)
        patch.setattr(update, "_restore", lambda *_: None)  # as a kill would
        with pytest.raises(KeyboardInterrupt):
            update.update(folder, new)
    update.update(folder, new)
    merged = structure.read_notebook(folder / "labs/99_lab.ipynb")
    assert cell_of(merged, "99-1-todo").source == ANSWER
    assert cell_of(merged, "99-task").source == "New."
    assert sum("**Update:**" in cell.source for cell in merged.cells) == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("labs/99_lab.ipynb", "99_lab.ipynb: not JSON"),
        (MANIFEST, "is damaged"),
        (None, "not a released folder"),
    ],
)
def test_what_cannot_be_merged_is_refused_and_nothing_changes(folder, damage, message):
    if damage is None:
        (folder / MANIFEST).unlink()
    else:
        (folder / damage).write_text("{")
    before = _snapshot(folder)
    with pytest.raises(ValueError, match=message):
        update.update(folder, _release(_edited({"99-task": "New."})))
    assert _snapshot(folder) == before
    assert not list(folder.glob(".labkit/backup-*"))


def _checkpoints(**weights):
    entries = {name: {"sha256": digest(content)} for name, content in weights.items()}
    files = {f"checkpoints__d__{name}.safetensors": content for name, content in weights.items()}
    return {**files, "checkpoints__d__manifest.json": json.dumps(entries).encode()}


def test_checkpoints_of_the_students_own_stay(tmp_path):
    _unpack(tmp_path, _release(_base(), **_checkpoints(a=b"1", b=b"1", c=b"1")))
    own = {
        name.replace("__", "/"): content
        for name, content in _checkpoints(a=b"1", b=b"mine", c=b"1", d=b"mine").items()
    }
    _unpack(tmp_path, own)
    (tmp_path / "checkpoints/d/c.safetensors").write_bytes(b"damaged")
    update.update(tmp_path, _release(_base(), **_checkpoints(a=b"2", b=b"2", c=b"2")))
    weights = {path.stem: path.read_bytes() for path in (tmp_path / "checkpoints/d").glob("*.safetensors")}
    assert weights == {"a": b"2", "b": b"mine", "c": b"2", "d": b"mine"}
    entries = json.loads((tmp_path / "checkpoints/d/manifest.json").read_text())
    assert {name: entry["sha256"] for name, entry in entries.items()} == {
        name: digest(content) for name, content in weights.items()
    }


@pytest.mark.parametrize("editor", ["colab", "older", "mark", "copied cell"])
def test_a_notebook_as_another_editor_leaves_it_is_updated_and_gets_its_ids_back(folder, editor):
    path = folder / "labs/99_lab.ipynb"
    content = json.loads(path.read_bytes())
    if editor in ("colab", "older"):
        content["nbformat_minor"] = 0 if editor == "colab" else 4
        for cell in content["cells"]:
            name = cell.pop("id")
            if editor == "colab":
                cell["metadata"] = {"id": name}
    if editor == "copied cell":
        content["cells"].append(dict(content["cells"][2]))
    path.write_text(json.dumps(content), encoding="utf-8-sig" if editor == "mark" else "utf-8")
    notes = update.update(folder, _release(_edited({"99-task": "New."}), **NEW))
    merged = structure.read_notebook(path)
    kept = [cell.id for cell in merged.cells]
    assert kept[: len(NAMES)] == NAMES
    assert len(kept) == len(NAMES) + (editor == "copied cell")
    assert cell_of(merged, "99-1-todo").source == ANSWER
    assert cell_of(merged, "99-1-check").metadata.labkit.role == "check"
    assert cell_of(merged, "99-task").source == "New."
    assert "labs/99_lab.ipynb, cell 99-task: new version" in notes


def test_half_of_a_surrogate_pair_in_an_answer_survives_an_update(folder):
    """A kernel or an editor can leave one in a file, as JSON's escape."""
    path = folder / "labs/99_lab.ipynb"
    path.write_text(path.read_text().replace("return x + x", "return x + x  # \\ud83d"))
    update.update(folder, _release(_edited({"99-task": "New."}), **NEW))
    assert cell_of(structure.read_notebook(path), "99-1-todo").source.endswith("# \ud83d")


@pytest.mark.parametrize("content", ["{", '{"a": 1}', "[" * 100_000])
def test_a_damaged_checkpoint_manifest_of_the_students_does_not_end_an_update(tmp_path, content):
    _unpack(tmp_path, _release(_base(), **_checkpoints(a=b"1")))
    (tmp_path / "checkpoints/d/manifest.json").write_text(content)
    (tmp_path / "checkpoints/d/a.safetensors").write_bytes(b"changed")
    update.update(tmp_path, _release(_base(), **_checkpoints(a=b"2")))
    assert (tmp_path / "checkpoints/d/a.safetensors").read_bytes() == b"2"
    assert (tmp_path / ".labkit/backup-1/checkpoints/d/a.safetensors").read_bytes() == b"changed"

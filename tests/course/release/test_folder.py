import base64
import json
import subprocess
import sys

import nbformat
import pytest
from small_labs import cell_of, code, markdown, small_lab, write

from labkit import settings
from labkit.course.grading.verification import failures
from labkit.course.notebook import structure
from labkit.course.notebook.execution import run_all
from labkit.course.release import folder
from labkit.course.release.leaks import COMMENT, _is_revealing, find_leaks
from labkit.course.release.strip import strip
from labkit.files import digest

pytestmark = pytest.mark.heavy

SECRET = "    return np.linalg.norm(x) + 2"


def _lab():
    lab = small_lab()
    cell_of(lab, "99-1-todo").source = cell_of(lab, "99-1-todo").source.replace("    return 2 * x", SECRET)
    cell_of(lab, "99-table").source += "\nnames = ['a', f'b{1}']"
    cell_of(lab, "99-answer").source = "**Why?**\n\nBecause the norm is doubled here."
    return lab


@pytest.fixture
def workbook(tmp_path):
    """A workbook of one lab and one checkpoint."""
    home = tmp_path / "workbook"
    for name in ("labs", "checkpoints/d", "tests/checks/wrong_answers", "docs"):
        (home / name).mkdir(parents=True)
    write(home / "labs/99_lab.ipynb", _lab())
    (home / "pyproject.toml").write_text("x")
    (home / "environment.yml").write_text("      - -e .[dev]\n")
    (home / "docs/decisions.md").write_text("x")
    (home / "docs/glossary.md").write_text("A lab: see [README](../README.md).")
    (home / "checkpoints/d/a.safetensors").write_bytes(b"1")
    (home / "checkpoints/d/unrecorded.safetensors").write_bytes(b"1")
    (home / "checkpoints/d/b2.lkc").write_bytes(b"2")
    (home / "checkpoints/d/unused.safetensors").write_bytes(b"3")
    for name in ("a", "unused"):
        (home / f"checkpoints/d/{name}.scan.json").write_bytes(b"{}")
    entries = {
        "a": {"sha256": digest(b"1")},
        "b2": {"sha256": digest(b"2"), "format": "lkc"},
        "b3": {"sha256": digest(b"4"), "shipped": False},
        "unused": {"sha256": digest(b"3")},
    }
    (home / "checkpoints/d/manifest.json").write_text(json.dumps(entries))
    return home


def _write(workbook, **options):
    out = workbook.parent / "out" / "student"
    labs = [workbook / "labs/99_lab.ipynb"]
    return out, folder.write_release(workbook, out, labs, verify=None, **options)


def test_a_release_holds_what_a_student_needs_and_nothing_else(workbook):
    out, done = _write(workbook)
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert "(labs/99_lab.ipynb)" in (out / "README.md").read_text()
    assert {"README.md", "Makefile", "pyproject.toml", "labkit/settings.py", "labs/99_lab.ipynb"} <= names
    assert {"checkpoints/d/a.safetensors", "checkpoints/d/b2.lkc", "checkpoints/d/manifest.json"} <= names
    assert "labkit/course/release/student_files/README.md" in names
    assert "labkit/data/topics.txt.xz" in names  # lab 12 reads it
    assert not [
        name for name in names if name.startswith(("tests", "docs/dec", ".git")) or "pycache" in name
    ]
    assert not {"checkpoints/d/unrecorded.safetensors", "checkpoints/d/unused.safetensors"} & names
    assert {name for name in names if name.endswith(".scan.json")} == {"checkpoints/d/a.scan.json"}
    assert set(json.loads((out / "checkpoints/d/manifest.json").read_text())) == {"a", "b2", "b3"}
    assert (out / "environment.yml").read_text() == "      - -e .\n"
    assert (out / "docs/glossary.md").read_text() == "A lab: see README."
    assert set(folder.read_release(out)) == names
    assert (out / folder.PRISTINE / "99_lab.ipynb").read_bytes() == (out / "labs/99_lab.ipynb").read_bytes()
    assert "1 labs" in done[0]


def test_the_same_workbook_gives_the_same_zip(workbook):
    out, first = _write(workbook, zipped=True)
    content = (out.parent / "student.zip").read_bytes()
    _, second = _write(workbook, zipped=True, force=True)
    assert first == second
    assert (out.parent / "student.zip").read_bytes() == content


def test_a_lab_that_tells_a_result_is_not_released(workbook):
    lab = _lab()
    lab.cells[2].source = "It loses 21.6 points."
    cell_of(lab, "99-table").outputs = [nbformat.v4.new_output("stream", text="21.6\n")]
    write(workbook / "labs/99_lab.ipynb", lab)
    with pytest.raises(ValueError, match=r"results away; .*\n  99_lab: cell 99-task tells 21\.6"):
        _write(workbook)
    assert not (workbook.parent / "out" / "student").exists()


def test_an_existing_folder_is_replaced_only_if_nothing_is_lost(workbook):
    out, _ = _write(workbook)
    with pytest.raises(ValueError, match="exists; remove it"):
        _write(workbook)
    _write(workbook, force=True)
    (out / "labs/99_lab.ipynb").write_text("answers")
    with pytest.raises(ValueError, match=r"has been worked in \(labs/99_lab.ipynb\)"):
        _write(workbook, force=True)
    (out / folder.MANIFEST).unlink()
    with pytest.raises(ValueError, match="is not a release and is not replaced"):
        _write(workbook, force=True)
    assert (out / "labs/99_lab.ipynb").read_text() == "answers"


@pytest.mark.parametrize("damage", ["checkpoint", "leak", "disk"])
def test_nothing_is_left_behind_when_it_fails(workbook, damage, monkeypatch):
    if damage == "checkpoint":
        (workbook / "checkpoints/d/a.safetensors").write_bytes(b"2")
    elif damage == "leak":
        lab = _lab()
        lab.cells.append(code("99-shown", SECRET.strip().removeprefix("return ")))
        lab.cells.append(code("99-told", f"def f(x):\n{SECRET}"))
        write(workbook / "labs/99_lab.ipynb", lab)
    else:
        monkeypatch.setattr(folder, "write_atomically", _full_disk)
    with pytest.raises((ValueError, OSError), match=r"labkit train a|cell 99-told shows|No space"):
        _write(workbook)
    parent = workbook.parent / "out"
    assert not parent.exists() or list(parent.iterdir()) == []


def test_what_a_killed_release_left_is_removed_by_the_next(workbook):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    parent = workbook.parent / "out"
    (parent / f".student.{process.pid}.part" / "labs").mkdir(parents=True)
    out, _ = _write(workbook)
    assert [path.name for path in parent.iterdir()] == [out.name]


def _full_disk(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    raise OSError(28, f"No space left on device, {len(content)} bytes")


def test_a_stripped_lab_gives_nothing_away():
    assert find_leaks(_lab(), strip(_lab())) == []


@pytest.mark.parametrize("place", ["source", "output", "json", "attachment", "metadata", "wrapped"])
@pytest.mark.parametrize(
    "secret", [SECRET, "Because the norm is doubled here.", "[double(0.1), double(5)]"]
)
def test_a_secret_is_found_wherever_it_stands(place, secret):
    released = strip(_lab())
    cell = cell_of(released, "99-table")
    if place == "source":
        cell.source += f"\nif x:\n    {secret}  # so"
    elif place == "output":
        cell.outputs = [nbformat.v4.new_output("stream", text=f"a\n{secret}\n")]
    elif place == "json":
        cell.outputs = [nbformat.v4.new_output("display_data", {"application/json": {"a": [secret]}})]
    elif place == "attachment":
        cell = cell_of(released, "99-task")
        cell["attachments"] = {"a.txt": {"text/plain": base64.b64encode(secret.encode()).decode()}}
    elif place == "metadata":
        cell.metadata["note"] = secret
    else:
        cell.source += "\n" + secret.strip().replace(" ", "\n   ")
    leaks = find_leaks(_lab(), released)
    assert len(leaks) == 1
    assert leaks[0].startswith(f"cell {cell.id} shows")


def test_delimiters_hidden_cells_and_verdicts_are_found():
    lab = _lab()
    verdict = '    ### BEGIN SOLUTION\n    return {\n        "a_is_b": True,\n    }\n    ### END SOLUTION'
    cell_of(lab, "99-1-todo").source = f"def f():\n{verdict}"
    released = strip(lab)
    assert find_leaks(lab, released) == []
    released.cells.append(markdown("99-told", 'It is {"a_is_b": True, "b": 1}.'))
    assert len(find_leaks(lab, released)) == 1
    assert "is a hidden cell" in find_leaks(lab, lab)[0]
    assert any("delimiter" in leak for leak in find_leaks(lab, lab))


@pytest.mark.parametrize(
    "line",
    ["return result", "for a, b in zip(c, d):", "import numpy as np, os", "x = 1", "return x  # a b c d e"],
)
def test_a_line_that_could_stand_anywhere_is_no_secret(line):
    assert not _is_revealing(COMMENT.sub("", line).strip())


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        ("weights = models.prunable_weights(model)", False),
        ("weights = torch.argsort(model)", True),
        ("weights = models.prunable_weights(model, skip=2)", True),
        ("weights = models.prunable_weights(model.copy())", True),
    ],
)
def test_a_plain_call_of_labkit_gives_nothing_away_and_any_other_call_does(line, is_shown):
    lab = _lab()
    cell_of(lab, "99-setup").source += "\nfrom labkit import models\nimport torch"
    todo = cell_of(lab, "99-1-todo")
    todo.source = todo.source.replace(SECRET, f"    {line}\n    return weights")
    released = strip(lab)
    cell_of(released, "99-table").source += f"\n{line}"
    assert bool(find_leaks(lab, released)) is is_shown


def test_the_grader_proves_that_solutions_earn_everything_and_stubs_nothing():
    lab = small_lab()
    for count, cell in enumerate(structure.code_cells(lab), 1):
        cell.execution_count = count
    cell_of(lab, "99-1-check").outputs = [nbformat.v4.new_output("stream", text="99.1 ok (3 cases)\n")]
    data = {"text/plain": "[0.2, 10]"}
    cell_of(lab, "99-1-hidden").outputs = [
        nbformat.v4.new_output("execute_result", data, execution_count=4)
    ]
    lax = nbformat.from_dict(lab)
    cell_of(lax, "99-1-check").source = 'print("99.1 ok (3 cases)")'
    wrong = nbformat.from_dict(lab)
    cell_of(wrong, "99-1-hidden").outputs[0].data["text/plain"] = "[0.3, 10]"
    given_away = nbformat.from_dict(lab)
    cell_of(given_away, "99-1-todo").source = "def double(x):\n    return 2 * x"
    broken = nbformat.from_dict(lab)
    cell_of(broken, "99-setup").source = "import no_such_module"
    labs = {"98_right": lab, "97_lax": lax, "96_wrong": wrong, "95_given": given_away, "94_broken": broken}
    problems = failures(labs)
    beginnings = [
        "97_lax: the stub of 99.1 does not raise NotImplementedError: its check passes",
        "96_wrong: the solution of 99.1 earns nothing: passes the visible check",
        "95_given: the untouched release earns 80 points in 99.1",
        "95_given: the stub of 99.1 does not raise NotImplementedError: its check passes",
        "94_broken: the lab's setup does not run in the sandbox",
    ]
    assert len(problems) == len(beginnings)
    for problem, beginning in zip(problems, beginnings, strict=True):
        assert problem.startswith(beginning)


LABS = sorted((settings.home() / "labs").glob("[0-9][0-9]_*.ipynb"))


def test_all_labs_together_can_be_released():
    files = folder.build_release(settings.home(), LABS, verify=None)
    assert {f"labs/{path.name}" for path in LABS} <= set(files)


@pytest.mark.slow
@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem[:2])
def test_a_lab_runs_with_the_checkpoints_of_its_release_alone(path, tmp_path, monkeypatch):
    files = folder.build_release(settings.home(), [path], verify=None)
    for name, content in files.items():
        if name.startswith("checkpoints/"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    before = {file for file in tmp_path.rglob("*.*") if "checkpoints" in file.parts}
    (result,) = run_all([tmp_path / "labs" / path.name], jobs=1, out=tmp_path / "out")
    assert result.error is None
    assert {
        file for file in tmp_path.rglob("*.*") if "checkpoints" in file.parts
    } == before  # none was trained


def test_a_release_of_one_lab_is_small():
    files = folder.build_release(settings.home(), [LABS[0]], verify=None)
    assert sum(map(len, files.values())) < 5e6


@pytest.mark.slow
def test_all_labs_pass_the_proof_by_the_grader():
    assert failures({path.stem: structure.read_lab(path) for path in LABS}) == []


@pytest.mark.parametrize("content", ["{", '{"a": {}}', '{"a": 1}', "[]", "[" * 100_000, "\xff"])
def test_a_damaged_manifest_is_named(workbook, content):
    path = workbook / "checkpoints/d/manifest.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"d/manifest\.json is damaged .*git checkout"):
        _write(workbook)
    out = workbook.parent / "out" / "student"
    (out / folder.MANIFEST).parent.mkdir(parents=True)
    (out / folder.MANIFEST).write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"release/manifest\.json is damaged"):
        folder.read_hashes(out)

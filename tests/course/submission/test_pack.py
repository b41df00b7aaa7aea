import json
import zipfile

import nbformat
import pytest
from small_labs import cell_of, code, small_lab, write

from labkit.cli import main
from labkit.course.release import folder
from labkit.course.release.strip import strip
from labkit.course.self_check import CheckRow, run_checks, table
from labkit.course.submission.answers import collect_answers
from labkit.course.submission.pack import STAMP, pack
from labkit.course.submission.read import read_submission

pytestmark = pytest.mark.heavy

ANSWER = "def double(x):\n    return x + x"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A released folder, nothing answered."""
    for name in ("labs", folder.PRISTINE, "checkpoints/d"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("labs", folder.PRISTINE):
        write(tmp_path / name / "99_lab.ipynb", strip(small_lab()))
    (tmp_path / "checkpoints/d/manifest.json").write_text("{}")
    (tmp_path / "checkpoints/d/a.safetensors").write_text("weights")
    monkeypatch.setattr("labkit.course.submission.pack.environment_stamp", lambda: {"python": "3"})
    return tmp_path


def _work(home, change):
    lab = strip(small_lab())
    change(lab)
    return write(home / "labs/99_lab.ipynb", lab)


def test_a_pack_holds_notebooks_manifests_and_a_stamp(home):
    report = pack(home, home / "out.zip")
    assert report == ([], [], ["99.1", "99.2 (written answer)"], {}, [])
    with zipfile.ZipFile(home / "out.zip") as archive:
        assert archive.namelist() == ["checkpoints/d/manifest.json", STAMP, "labs/99_lab.ipynb"]
        assert json.loads(archive.read(STAMP))["environment"] == {"python": "3"}
    assert read_submission(home / "out.zip").warnings == []
    first = (home / "out.zip").read_bytes()
    pack(home, home / "out.zip")
    assert (home / "out.zip").read_bytes() == first


def test_what_is_answered_is_not_listed(home):
    def answer(lab):
        cell_of(lab, "99-1-todo").source = ANSWER
        cell_of(lab, "99-answer").source = "It doubles."

    _work(home, answer)
    assert pack(home, home / "out.zip").unanswered == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("not json", "cell 99-1-todo of exercise 99.1 is missing"),
        ("deleted", "cell 99-1-todo of exercise 99.1 is missing"),
        ("absent", "99_lab.ipynb is missing"),
    ],
)
def test_what_cannot_be_graded_is_refused_and_named(home, damage, message):
    path = home / "labs/99_lab.ipynb"
    if damage == "not json":
        path.write_text("{")
    elif damage == "absent":
        path.rename(home / "labs/98_lab.ipynb")
    else:
        lab = strip(small_lab())
        place = [cell.id for cell in lab.cells].index("99-1-todo")
        del lab.cells[place]
        write(path, lab)
    with pytest.raises(ValueError, match=message):
        pack(home, home / "out.zip")
    assert not (home / "out.zip").exists()
    assert message in pack(home, home / "out.zip", force=True).failures[0]


def test_warnings_are_those_of_the_grader(home):
    def tamper(lab):
        cell_of(lab, "99-1-check").source = "print('99.1 ok (3 cases)')"
        lab.cells.insert(0, lab.cells.pop())
        lab.cells.insert(0, lab.cells.pop())

    path = _work(home, tamper)
    warnings = pack(home, home / "out.zip").warnings
    assert warnings == [
        f"99_lab: {warning}" for warning in collect_answers(path.read_bytes(), small_lab()).warnings
    ]
    assert any("99-1-check" in warning for warning in warnings)
    assert any("another order" in warning for warning in warnings)


def test_a_retyped_cell_is_packed_since_the_grader_reads_it(home):
    def retype(lab):
        place = [cell.id for cell in lab.cells].index("99-1-todo")
        lab.cells[place] = nbformat.v4.new_raw_cell(ANSWER, id="99-1-todo")

    _work(home, retype)
    report = pack(home, home / "out.zip")
    assert report.failures == []
    assert report.unanswered == ["99.2 (written answer)"]
    assert any("is a raw cell" in warning for warning in report.warnings)


def test_an_emptied_cell_is_not_answered_and_a_syntax_error_is_a_warning(home):
    _work(home, lambda lab: cell_of(lab, "99-1-todo").update(source="# nothing"))
    assert "99.1" in pack(home, home / "out.zip").unanswered
    _work(home, lambda lab: cell_of(lab, "99-1-todo").update(source="def double(x):\n    return ("))
    report = pack(home, home / "out.zip")
    assert report.invalid == {"99.1": "'(' was never closed (line 2)"}
    assert report.warnings == []


@pytest.mark.parametrize("line", ["%time 1", "!ls", "len?", "await asyncio.sleep(0)", r"'\d'"])
def test_what_jupyter_accepts_is_valid(home, line):
    _work(home, lambda lab: cell_of(lab, "99-1-todo").update(source=f"{ANSWER}\n{line}"))
    assert pack(home, home / "out.zip").invalid == {}


def _retyped(lab, kind):
    """Replace the TODO cell by one that a student typed anew."""
    place = [cell.id for cell in lab.cells].index("99-1-todo")
    new = {
        "raw": nbformat.v4.new_raw_cell,
        "text": nbformat.v4.new_markdown_cell,
        "another": nbformat.v4.new_code_cell,
        "below": nbformat.v4.new_code_cell,
    }[kind](ANSWER)
    lab.cells[place : place + (kind != "below")] = [new] if kind != "below" else []
    if kind == "below":
        lab.cells.insert(place + 1, new)


@pytest.mark.parametrize("kind", ["raw", "text", "another", "below"])
def test_pack_check_and_grader_find_the_same_answer_in_a_retyped_cell(home, kind):
    path = _work(home, lambda lab: _retyped(lab, kind))
    assert collect_answers(path.read_bytes(), small_lab()).sources["99-1-todo"] == ANSWER
    assert pack(home, home / "out.zip").unanswered == ["99.2 (written answer)"]
    assert [row.verdict for row in run_checks(path)] == ["ok", "not answered yet"]


def test_a_check_that_the_student_changed_does_not_count(home):
    def change(lab):
        cell_of(lab, "99-1-todo").source = "def double(x):\n    return None"
        cell_of(lab, "99-1-check").source = "print('99.1 ok (3 cases)')"

    assert run_checks(_work(home, change))[0].verdict.startswith("TypeError")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("def double(x):\n    return (", ["99.1 is not valid Python: '(' was never closed (line 2)"]),
        ("def double(x):\n    return None", ["99.1 fails its visible check: TypeError: "]),
        (ANSWER, ["All of them pass."]),
        (None, ["not answered yet: 99.1"]),
    ],
    ids=["syntax", "wrong", "right", "not started"],
)
def test_the_command_says_in_one_line_each_what_is_wrong(home, monkeypatch, capsys, answer, said):
    monkeypatch.setenv("LABKIT_HOME", str(home))
    if answer is not None:
        _work(home, lambda lab: cell_of(lab, "99-1-todo").update(source=answer))
    assert main(["pack"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (home / "submission.zip").is_file()
    about = [line for line in lines if "99.1" in line or "pass." in line]
    assert len(about) == len(said)
    assert all(line.startswith(start) for line, start in zip(about, said, strict=True))
    assert main(["pack", "--quick"]) == 0
    assert "visible check" not in capsys.readouterr().out


def test_a_lab_that_cannot_be_checked_does_not_keep_anyone_from_submitting(home, monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_HOME", str(home))
    _work(home, lambda lab: cell_of(lab, "99-1-todo").update(source=ANSWER))
    monkeypatch.setattr("labkit.course.self_check.execute_cells", _no_kernel)
    assert main(["pack"]) == 0
    assert "99_lab: not checked: no kernel" in capsys.readouterr().out


def _no_kernel(*_, **__):
    raise RuntimeError("no kernel")


@pytest.mark.parametrize("editor", ["colab", "duplicate", "mark"])
def test_notebooks_of_other_editors_are_packed_and_checked(home, editor):
    lab = strip(small_lab())
    cell_of(lab, "99-1-todo").source = ANSWER
    content = json.loads(nbformat.writes(lab))
    if editor == "colab":
        content["nbformat_minor"] = 0
        for cell in content["cells"]:
            del cell["id"]
    elif editor == "duplicate":
        content["cells"].append({**content["cells"][2]})
    path = home / "labs/99_lab.ipynb"
    path.write_text(json.dumps(content), encoding="utf-8-sig" if editor == "mark" else "utf-8")
    before = path.read_bytes()
    assert pack(home, home / "out.zip").unanswered == ["99.2 (written answer)"]
    assert [row.verdict for row in run_checks(path)] == ["ok", "not answered yet"]
    assert path.read_bytes() == before


def test_a_folder_without_labs_is_refused(home):
    (home / "labs/99_lab.ipynb").unlink()
    with pytest.raises(ValueError, match="there are no labs in"):
        pack(home, home / "out.zip")


def test_checks_run_and_each_failure_is_one_line(tmp_path):
    def exercise(number, body):
        todo = code(f"e{number}-todo", f"def f{number}():\n    {body}", role="todo", id=f"9.{number}")
        source = f"assert f{number}() == 1, 'wrong\\nmore'"
        return [todo, code(f"e{number}-check", source, role="check", id=f"9.{number}", points=number)]

    bodies = [
        "return 1",
        "return 2",
        'raise NotImplementedError("Exercise 9.3")',
        "return (",
        "while True: pass",
    ]
    bodies += ["import os; os._exit(1)", "return 1"]
    cells = [cell for number, body in enumerate(bodies, 1) for cell in exercise(number, body)]
    lab = nbformat.v4.new_notebook(cells=[code("setup", "import os", role="setup"), *cells])
    rows = run_checks(write(tmp_path / "09_lab.ipynb", lab), limit_s=3)
    assert rows[:3] == [
        CheckRow("9.1", 1, "ok"),
        CheckRow("9.2", 2, "AssertionError: wrong"),
        CheckRow("9.3", 3, "not answered yet"),
    ]
    assert rows[3].verdict.startswith("SyntaxError: ")
    assert rows[4].verdict == "not finished within 3 s"
    assert rows[5].verdict == "the kernel died while running it"
    assert rows[6].verdict == "not run: the kernel died in an earlier cell"
    shown = table(rows)
    assert "1 visible checks are ok. Next: 9.2." in shown
    assert "Hidden checks, on other inputs, run at grading" in shown
    assert "all" not in shown.split("\n", 1)[1]


@pytest.mark.parametrize("lab", [small_lab(), strip(small_lab())], ids=["with solutions", "released"])
def test_the_points_of_an_exercise_are_those_it_earns_or_loses_whole(tmp_path, lab):
    rows = run_checks(write(tmp_path / "99_lab.ipynb", lab))
    assert [(row.exercise, row.points) for row in rows] == [("99.1", 80), ("99.2", 20)]
    assert "an exercise earns its points if both are right, else none" in " ".join(table(rows).split())


HINT = "use every value once, " * 20


@pytest.mark.parametrize(
    ("returned", "start"),
    [
        (
            "1 / 0",
            "got: your code raised ZeroDivisionError: division by zero (line 2 of your cell); hint: use every value",
        ),
        ("[1, 2, 3]", "got: shape (3,) instead of shape (2,); hint: use every value once, use"),
        ("None", "got: None, as from a function without return; hint: use every value once, use"),
        ("[1, 3]", "hint: use every value once, use"),
    ],
)
def test_the_most_telling_part_of_a_failed_check_comes_first(tmp_path, returned, start):
    setup = "from labkit.checks.expect import Expect\ncase = Expect('9.1').given('x')"
    source = f"got = case.call(f, hint={HINT!r})\ncase.close(got, [1, 2], hint={HINT!r})"
    cells = [
        code("setup", setup, role="setup"),
        code("todo", f"def f():\n    return {returned}", role="todo", id="9.1"),
        code("check", source, role="check", id="9.1", points=5),
    ]
    rows = run_checks(write(tmp_path / "09_lab.ipynb", nbformat.v4.new_notebook(cells=cells)))
    assert rows[0].verdict.startswith(start)
    assert rows[0].verdict.endswith(" …")
    assert len(rows[0].verdict) <= 240
    shown = table(rows).splitlines()
    assert max(map(len, shown)) <= 100
    assert shown[2].startswith(" " * 18)
    assert shown[-1].endswith("what was expected and what your code returned.")


@pytest.mark.parametrize(
    ("cells", "error", "message"),
    [
        ([code("a", "1")], ValueError, "has no check cells"),
        (
            [code("a", "1 / 0", role="setup"), code("b", "1", role="check", id="9.1")],
            RuntimeError,
            "the setup cell fails.*: ZeroDivisionError",
        ),
    ],
)
def test_a_notebook_that_cannot_be_checked_is_refused(tmp_path, cells, error, message):
    with pytest.raises(error, match=message):
        run_checks(write(tmp_path / "09_lab.ipynb", nbformat.v4.new_notebook(cells=cells)))

"""Grading a class: points, tables, pages, resuming, clusters; the labs' own solutions and wrong answers."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
import zipfile
from datetime import UTC, datetime, timedelta

import hostile
import nbformat
import psutil
import pytest
from bs4 import BeautifulSoup

from labkit import settings
from labkit.cli import main
from labkit.course.grading import class_run, feedback
from labkit.course.grading import job as jobs
from labkit.course.grading.class_run import Options, run_jobs
from labkit.course.grading.config import GradingConfig, read_columns, read_config
from labkit.course.grading.execution import ExerciseRunner, SandboxConfig
from labkit.course.grading.gradebook import apply_manual_marks, write_tables
from labkit.course.grading.job import Job, find_submissions, fingerprint, grade_job
from labkit.course.grading.late_penalty import (
    UNKNOWN_TIME,
    LateRule,
    apply_late_rules,
    parse_late_rule,
    submitted_at,
)
from labkit.course.grading.results import GradedLab, Mark, read_results
from labkit.course.grading.sandbox.box import UNPROTECTED, choose_backend
from labkit.course.grading.sandbox.limits import Limits
from labkit.course.notebook import structure
from labkit.course.notebook.lab_id import LabId
from labkit.course.release.strip import strip
from labkit.files import zip_bytes

pytestmark = pytest.mark.heavy

LABS = sorted((settings.home() / "labs").glob("[0-9][0-9]_*.ipynb"))
WRONG = settings.home() / "tests" / "checks" / "wrong_answers"
LAB = hostile.small_class_lab()


@pytest.fixture
def course(tmp_path):
    """A workbook's labs and three submissions: right, partly right, not started."""
    (tmp_path / "labs").mkdir()
    (tmp_path / "submissions").mkdir()
    nbformat.write(LAB, tmp_path / "labs" / hostile.NAME)
    good = hostile.solved(LAB)
    partly = hostile.solved(LAB, {**hostile.SOLUTIONS, "99.3": "def mean(values):\n    return values[0]"})
    for name, notebook in {"ada": good, "bob": partly, "=cy": hostile.solved_nothing(good)}.items():
        hostile.as_folder(notebook)(tmp_path / "submissions" / name)
    return tmp_path


def graded(course, **options):
    return run_jobs(
        course / "submissions", [course / "labs" / hostile.NAME], Options(course / "out", **options)
    )


def class_page(course):
    """The class page, after grading and writing every feedback page."""
    results = graded(course)
    pages = feedback.write_feedback(course / "out", [course / "labs" / hostile.NAME], results)
    return feedback.write_class_page(course / "out", results, pages.paths)


def points(results):
    return {result.student: result.earned for result in results}


def grade_lab(path, sources):
    """The result of a submission with these sources by cell id."""
    notebook = strip(structure.read_lab(path))
    for cell in notebook.cells:
        cell.source = sources.get(cell.id, cell.source)
    content = nbformat.writes(notebook).encode()
    return grade_job(Job("student", path.stem, content, path.read_bytes(), grader=fingerprint()))


def solutions(path):
    """The todo cells of a lab by id, as a student would have written them."""
    cells = [cell for cell in structure.read_lab(path).cells if structure.cell_role(cell) == "todo"]
    mark = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
    return {cell.id: mark.sub("", cell.source) for cell in cells}


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem[:2])
def test_a_labs_solutions_earn_everything_and_its_release_nothing(path):
    result = grade_lab(path, solutions(path))
    assert result.warnings == ()
    coded = [mark for mark in result.marks if mark.status not in ("to mark", "not started")]
    assert [mark for mark in coded if mark.earned != mark.max] == []
    assert {mark.question for mark in coded} == {
        name for name, cells in structure.exercises(structure.read_lab(path)).items() if "todo" in cells
    }
    assert sum(mark.max for mark in result.marks) == (0 if path.stem.startswith("00") else 100)
    assert grade_lab(path, {}).earned == 0


def test_an_answer_that_calls_labkit_earns_nothing():
    path = LABS[1]
    shortcuts = {
        "01.2": "def project_k_sparse(w, k):\n    return linear.project_sparse(w, k)",
        "01.4": "def soft_threshold(w, threshold):\n    from labkit.linear import soft_threshold as shrink\n"
        "    return shrink(w, threshold)",
        "01.5": "def helper(*inputs):\n    return linear.trimmed_soft_threshold(*inputs)\n"
        "def trimmed_soft_threshold(w, threshold, smallest):\n    return helper(w, threshold, smallest)",
    }
    cells = structure.exercises(structure.read_lab(path))
    answers = {cells[name]["todo"].id: source for name, source in shortcuts.items()}
    marks = {mark.question: mark for mark in grade_lab(path, {**solutions(path), **answers}).marks}
    for name in shortcuts:
        assert marks[name].earned == 0
        assert marks[name].status == "wrong"
        assert "asks you to write it yourself" in marks[name].reason
    assert marks["01.1"].earned == marks["01.1"].max


def _batches(exercises):
    """The wrong answers of a lab, dealt out to students: each has one in every other exercise.

    An exercise may use another's function, so that neighbours are not wrong together.
    """
    dealt = [sorted((WRONG / name).glob("*.py")) for name in exercises]
    for number in range(max(map(len, dealt))):
        for part in (dealt[::2], dealt[1::2]):
            wrong = [files[number] for files in part if number < len(files)]
            if wrong:
                yield wrong


# The wrong answers of every lab go through its cells in test_labs.py; one lab goes through the grader too.
GRADED_LABS = [
    pytest.param(path, marks=() if path.stem[:2] == "01" else pytest.mark.slow, id=path.stem[:2])
    for path in LABS
]


@pytest.mark.parametrize("path", GRADED_LABS)
def test_each_wrong_answer_loses_exactly_its_questions_points(path):
    lab = structure.read_lab(path)
    todos = {name: each["todo"].id for name, each in structure.exercises(lab).items() if "todo" in each}
    right, unexpected = solutions(path), {}
    with ExerciseRunner(lab, SandboxConfig(choose_backend("auto"))) as trial:
        for wrong in _batches(todos):
            answers = {todos[file.parent.name]: file.read_text(encoding="utf-8") for file in wrong}
            outcomes = trial.outcomes(right | answers)
            lost = {name for name, outcome in outcomes.items() if outcome.status != "right"}
            if lost != {file.parent.name for file in wrong}:
                unexpected[tuple(f"{file.parent.name}/{file.stem}" for file in wrong)] = sorted(lost)
    assert unexpected == {}


@pytest.mark.parametrize("wait", ["while time.process_time() < end: pass", "time.sleep(2.5)"])
@pytest.mark.parametrize(
    ("own", "outcome"),
    [({}, ("timeout", "not finished within 1 s")), ({"timeout": 60}, ("right", ""))],
    ids=["default", "own"],
)
def test_a_cells_timeout_raises_its_limits_of_time_and_of_processor_time(wait, own, outcome):
    lab = hostile.small_class_lab()
    for name in ("99-3-check", "99-3-hidden"):
        hostile.cell_of(lab, name).metadata["labkit"].update(own)
    lines = ("import time", "end = time.process_time() + 2.5", wait, "return sum(values) / len(values)")
    slow = "\n    ".join(("def mean(values):", *lines))
    with ExerciseRunner(lab, SandboxConfig(choose_backend("auto"), Limits(cpu_s=1, wall_s=1))) as trial:
        outcomes = trial.outcomes({"99-3-todo": slow})
    assert outcomes == {"99.3": outcome}


def test_points_come_only_whole_and_every_loss_has_its_reason(course):
    results = graded(course)
    assert points(results) == {"ada": 30, "bob": 20, "=cy": 0}
    bob = next(result for result in results if result.student == "bob")
    mark = next(mark for mark in bob.marks if mark.question == "99.3")
    assert (mark.earned, mark.status) == (0, "error")
    assert "expected 2.0, got 1" in mark.reason


def test_an_answer_that_passes_the_visible_check_only_earns_nothing_and_hears_no_value(course):
    sneaky = "def mean(values):\n    return 2.0 if values == [1, 3] else -77.5"
    notebook = hostile.solved(LAB, {**hostile.SOLUTIONS, "99.3": sneaky})
    hostile.as_folder(notebook)(course / "submissions" / "dan")
    result = next(result for result in graded(course) if result.student == "dan")
    mark = next(mark for mark in result.marks if mark.question == "99.3")
    assert (mark.earned, mark.status) == (0, "wrong")
    assert "passes the visible check" in mark.reason
    assert not re.search(r"\d", mark.reason)


DOUBLE = "def double(x):\n    return 2 * x"


@pytest.mark.parametrize(
    "answer",
    [
        "def double(x):\n    display(x)\n    return 2 * x",
        f"display('x')\n{DOUBLE}",
        f"get_ipython()\n{DOUBLE}",
        f"{DOUBLE}\ndouble?",
        "def double(x):\n    !true\n    return 2 * x",
        f"out = !true\n{DOUBLE}",
        f"%matplotlib inline\nimport os\n%time print(1)\n{DOUBLE}",
        f"%%time\n{DOUBLE}\n!pip list",
        f"{DOUBLE}\n%time y = double(2)\nassert y == 4",
        f"import asyncio\nawait asyncio.sleep(0)\n{DOUBLE}",
        "def double(x):\n    print(x, end=' ')\n    return 2 * x",
    ],
    ids=[
        "display inside",
        "display",
        "get_ipython",
        "help",
        "shell inside",
        "shell",
        "magic",
        "timed",
        "time",
        "await",
        "end",
    ],
)
def test_what_jupyter_accepts_earns_its_points(answer):
    with ExerciseRunner(LAB, SandboxConfig(choose_backend("auto"))) as runner:
        assert runner.outcomes({"99-1-todo": answer}) == {"99.1": ("right", "")}


def test_workers_end_with_the_grader_even_if_it_is_killed(course):
    slow = "import time\ntime.sleep(60)\ndef mean(values):\n    return 2.0"
    for number in range(4):
        notebook = hostile.solved(LAB, {**hostile.SOLUTIONS, "99.3": slow})
        hostile.as_folder(notebook)(course / "submissions" / f"student{number}")
    command = [
        sys.executable,
        "-m",
        "labkit.cli",
        "grade",
        str(course / "submissions"),
        "--out",
        str(course / "out"),
        "-j",
        "2",
    ]
    grader = subprocess.Popen(
        command, env=os.environ | {"LABKIT_HOME": str(course)}, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 300
    workers = []
    while len(workers) < 2 and time.monotonic() < end:
        time.sleep(0.2)
        family = psutil.Process(grader.pid).children()
        workers = [child for child in family if "spawn_main" in " ".join(child.cmdline())]
    grader.kill()
    grader.wait()
    _, alive = psutil.wait_procs(workers, timeout=120)
    assert len(workers) >= 2
    assert alive == []


@pytest.mark.parametrize("content", [b"PK\x05\x06" + bytes(18), b"PK\x03\x04", b"", b"Rar!\x1a\x07"])
def test_a_damaged_archive_costs_only_its_own_student(course, content):
    (course / "submissions" / "dan.zip").write_bytes(content)
    assert points(graded(course)) == {"ada": 30, "bob": 20, "=cy": 0, "dan": 0}


@pytest.mark.parametrize(
    ("names", "students"),
    [
        ((b"ann\xff", b"ann\\xff"), ["ann\\xff", "ann\\xff (2)"]),
        (("José".encode(), unicodedata.normalize("NFD", "José").encode()), ["José", "José (2)"]),
    ],
    ids=["bytes", "accents"],
)
def test_names_that_look_alike_are_two_students(tmp_path, names, students):
    for name in names:
        (tmp_path / os.fsdecode(name)).mkdir()
    paths = find_submissions(tmp_path).paths
    assert sorted(paths) == students
    assert len(set(paths.values())) == 2


def test_a_students_folder_that_is_a_link_is_not_followed(course):
    (course / "submissions" / "dan").symlink_to(course / "submissions" / "ada")
    (course / "submissions" / "eve").symlink_to(course / "labs")
    (course / "submissions" / "fay").symlink_to(course / "submissions" / "fay")
    results = {result.student: result for result in graded(course)}
    assert points(results.values()) == {"ada": 30, "bob": 20, "=cy": 0, "dan": 0, "eve": 0, "fay": 0}
    for name in ("dan", "eve", "fay"):
        assert "is a link" in results[name].marks[0].reason
        assert results[name].sources == {}
        assert str(course) not in results[name].marks[0].reason, "no path of the grader's"


def test_a_second_run_repeats_nothing_and_a_changed_submission_only_itself(course, monkeypatch):
    first = graded(course)
    ran = []
    monkeypatch.setattr(class_run, "grade_job", lambda job: ran.append(job.student) or grade_job(job))
    assert graded(course) == first
    assert ran == []
    hostile.as_folder(hostile.solved(LAB))(course / "submissions" / "eve")
    (course / "submissions" / "bob" / hostile.NAME).write_text("{}")
    assert points(graded(course)) == {"ada": 30, "bob": 0, "=cy": 0, "eve": 30}
    assert sorted(ran) == ["bob", "eve"]


def test_a_damaged_result_is_made_again(course):
    first = graded(course)
    stored = next((course / "out" / "results").glob("*/ada*.json"))
    stored.write_bytes(stored.read_bytes()[:40])
    assert points(graded(course)) == points(first)


def test_killed_midway_it_goes_on_where_it_stopped(course):
    for number in range(6):
        hostile.as_folder(hostile.solved(LAB))(course / "submissions" / f"student{number}")
    code = (
        "import sys; from pathlib import Path; from labkit.course.grading.class_run import *\n"
        f"run_jobs(Path({str(course / 'submissions')!r}), [Path({str(course / 'labs' / hostile.NAME)!r})], "
        f"Options(Path({str(course / 'out')!r})))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    results = course / "out" / "results"
    end = time.monotonic() + 300
    while len(list(results.glob("*/*.json"))) < 3 and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in results.glob("*/*.json")}
    assert 3 <= len(finished) < 9
    assert len(graded(course)) == 9
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def test_processes_give_the_same_results(course):
    alone = points(graded(course))
    assert points(run_jobs(course / "submissions", [course / "labs" / hostile.NAME], Options(course / "two", 2))) == alone  # fmt: skip


def test_a_grader_that_fails_gives_a_row_without_points_and_tries_again(course, monkeypatch):
    def broken(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "run_exercises", broken)
        results = graded(course)
    assert all(result.failure for result in results)
    reasons = {mark.reason for result in results for mark in result.marks if mark.question == "99.1"}
    assert reasons == {"the grader failed: OSError: no space left"}
    assert points(graded(course)) == {"ada": 30, "bob": 20, "=cy": 0}


@pytest.fixture
def cluster():
    """A Dask cluster of two worker processes."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:
        yield made


@pytest.mark.filterwarnings("default")  # of Dask's own
def test_a_cluster_gives_the_same_results_though_a_worker_is_killed(course, cluster):
    for number in range(6):
        hostile.as_folder(hostile.solved(LAB))(course / "submissions" / f"student{number}")
    victim = next(iter(cluster.workers.values())).pid
    killer = subprocess.Popen(
        [sys.executable, "-c", f"import os, time; time.sleep(1.5); os.kill({victim}, 9)"]
    )
    results = graded(course, scheduler=cluster.scheduler_address)
    assert killer.wait() == 0, "the worker was gone before it was killed"
    assert points(results) == {"ada": 30, "bob": 20, "=cy": 0} | {f"student{k}": 30 for k in range(6)}


def test_the_tables_have_a_row_for_every_question_and_no_formula(course):
    results = graded(course)
    write_tables(course / "out", results)
    with (course / "out" / "grades.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 4
    assert list(rows[0]) == ["student", "lab", "question", "earned", "max", "status", "reason"]
    assert {row["student"] for row in rows} == {"ada", "bob", "'=cy"}
    with (course / "out" / "summary.csv").open(newline="") as file:
        summary = {row["student"]: row for row in csv.DictReader(file)}
    assert (summary["bob"]["earned"], summary["bob"]["max"], summary["bob"]["percent"]) == (
        "20.0",
        "35",
        "57.1",
    )


def test_manual_marks_are_merged_and_all_bad_rows_refused_together(course):
    results = graded(course)
    table = course / "marks.csv"
    table.write_text("student,lab,question,points,reason\nada,99,99.4,4.5,nearly\n")
    assert points(apply_manual_marks(results, table))["ada"] == 34.5
    rows = {
        "ada,99,99.4,1": None,
        "zoe,99,99.4,1": "line 3: no result of 'zoe'",
        "ada,98,99.4,1": "line 4: no result of 'ada' in lab '98'",
        "ada,99,99.9,1": "line 5: no question '99.9'",
        "bob,99,99.4,6": "line 6: points must be a number from 0 to 5",
        "=cy,99,99.4,nan": "line 7: points must be a number from 0 to 5",
        "=cy,99,late,1": "line 8: points must be a number of at most 0",
        "ada,99,99.4,2": "line 9: 99.4 of 'ada' was already marked in line 2",
    }
    table.write_text("\n".join(["student,lab,question,points", *rows]))
    with pytest.raises(ValueError, match=r"no mark of .* was merged") as caught:
        apply_manual_marks(results, table)
    lines = str(caught.value).splitlines()[1:]
    expected = [words for words in rows.values() if words]
    assert len(lines) == len(expected)
    for line, words in zip(lines, expected, strict=True):
        assert words in line
    table.write_text("name,points\nada,3\n")
    with pytest.raises(ValueError, match="no column student, lab, question"):
        apply_manual_marks(results, table)


HEADER = "student,lab,question,points\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Student;Lab;Question;Points\nada;99;99.4;4,5\n", "utf-8"),
        ("student\tlab\tquestion\tpoints\nada\t99\t99.4\t4.5\n", "utf-8"),
        (HEADER + "ada,99,99.4,4.5\n", "utf-8-sig"),
        (HEADER + "ada,99,99.4,4.5\n", "utf-16"),
        (HEADER.replace("points", "points,reason") + "ada,99,99.4,4.5,désolé\n", "cp1252"),
        (HEADER + ",,,\nada,99,99.4,4.5\n\n,,,\n", "utf-8"),
        (HEADER + "ada,99,99.4,4.5\nbob,99,99.4,\n", "utf-8"),
        (HEADER + "ada,99.0,99.40,4.5\n", "utf-8"),
        (HEADER + " ada , 99 ,99.4, 4.5\n'=cy,99,99.1,0\n", "utf-8"),
    ],
    ids=["semicolons", "tabs", "mark", "utf-16", "windows", "empty rows", "blank", "numbers", "quoted"],
)
def test_marks_are_read_as_spreadsheets_leave_them(course, text, encoding):
    table = course / "marks.csv"
    table.write_bytes(text.encode(encoding))
    merged = apply_manual_marks(graded(course), table)
    assert points(merged) == {"ada": 34.5, "bob": 20, "=cy": 0}


def test_a_name_is_found_however_its_accent_is_typed(course):
    hostile.as_folder(hostile.solved(LAB))(course / "submissions" / unicodedata.normalize("NFD", "José"))
    table = course / "marks.csv"
    table.write_text(HEADER + "José,99,99.4,5\n", encoding="utf-8")
    merged = {
        unicodedata.normalize("NFC", name): value
        for name, value in points(apply_manual_marks(graded(course), table)).items()
    }
    assert merged["José"] == 35


def test_a_file_that_is_not_text_is_refused_by_name(course):
    table = course / "marks.csv"
    table.write_bytes(b"PK\x03\x04\x00\x00")
    with pytest.raises(ValueError, match=r"marks.csv is not a text file"):
        apply_manual_marks(graded(course), table)


@pytest.mark.parametrize(
    ("rule", "when", "left"),
    [
        ("2026-12-01T12:00 10/day", "2026-12-01T12:00", 30),
        ("2026-12-01T12:00 10/day", "2026-12-01T12:00:59", 30),
        ("2026-12-01T12:00:30 10/day", "2026-12-01T12:00:30", 30),
        ("2026-12-01T12:00:30 10/day", "2026-12-01T12:00:31", 27),
        ("2026-12-01T12:00 10/day", "2026-12-01T12:01", 27),
        ("2026-12-01T12:00 10/day", "2026-12-02T12:01", 24),
        ("2026-12-01T12:00 10/day max 15", "2027-01-01T00:00", 25.5),
        ("99=2026-12-01T12:00 100/day", "2026-12-03T12:00", 0),
        ("98=2026-12-01T12:00 100/day", "2026-12-03T12:00", 30),
    ],
)
def test_lateness_takes_points_off_by_days_begun(course, rule, when, left):
    times = {"ada": datetime.fromisoformat(when)}
    assert points(apply_late_rules(graded(course), [parse_late_rule(rule)], times))["ada"] == left


@pytest.mark.parametrize(("minutes", "left"), [(15, 30), (16, 27), (24 * 60, 27), (24 * 60 + 1, 24)])
def test_a_grace_period_delays_the_penalty_but_not_the_days(course, minutes, left):
    deadline = datetime(2026, 12, 1, 12)
    rule = LateRule(None, deadline, 10.0, grace_minutes=15)
    results = apply_late_rules(graded(course), [rule], {"ada": deadline + timedelta(minutes=minutes)})
    assert points(results)["ada"] == left


DAYS = [datetime(2026, 12, day, 12) for day in (1, 2, 3)]


def test_a_zips_own_time_counts_and_of_a_folder_its_newest_notebook_that_carries_one(tmp_path):
    (tmp_path / "ada.zip").write_bytes(zip_bytes({f"labs/{hostile.NAME}": b"{}"}))
    os.utime(tmp_path / "ada.zip", (0, DAYS[1].timestamp()))
    assert submitted_at(tmp_path / "ada.zip") == DAYS[1]
    with zipfile.ZipFile(tmp_path / "ada.zip") as archive:
        archive.extractall(tmp_path / "bob")
        stored = datetime(*archive.infolist()[0].date_time)
    unpacked = tmp_path / "bob" / "labs" / hostile.NAME
    os.utime(unpacked, (0, stored.timestamp()))  # as unzip does, unlike extractall
    assert submitted_at(tmp_path / "bob") is None
    for name, when in (("01_a.ipynb", DAYS[0]), ("notes.txt", DAYS[2]), (".labkit/01_a.ipynb", DAYS[2])):
        path = tmp_path / "bob" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        os.utime(path, (0, when.timestamp()))
    assert submitted_at(tmp_path / "bob") == DAYS[0]


def test_of_a_folder_with_a_zip_in_it_the_zips_time_counts_and_links_are_not_followed(tmp_path):
    folder = tmp_path / "ann"
    (folder / "deep" / "deeper").mkdir(parents=True)
    packed = folder / "deep" / "submission.zip"
    packed.write_bytes(zip_bytes({"labs/01_x.ipynb": b""}))
    os.utime(packed, (1_700_000_000, 1_700_000_000))
    (folder / "02_x.ipynb").symlink_to(tmp_path / "new.ipynb")
    (tmp_path / "new.ipynb").write_text("")
    (folder / "deep" / "up").symlink_to(tmp_path)
    assert submitted_at(folder) == datetime.fromtimestamp(1_700_000_000)


def test_an_unknown_time_is_told_once_where_a_rule_would_need_it(course):
    results = apply_late_rules(
        graded(course), [parse_late_rule("2026-12-01T12:00 10/day")], {"bob": DAYS[0]}
    )
    assert {each.student for each in results if UNKNOWN_TIME in each.warnings} == {"ada"}
    assert points(results) == {"ada": 30, "bob": 20, "=cy": 0}
    assert UNKNOWN_TIME in next(result for result in results if result.student == "ada").attention
    assert apply_late_rules(graded(course), [parse_late_rule("98=2026-12-01T12:00 10/day")], {}) == graded(
        course
    )


def test_of_no_points_lateness_takes_none_and_says_nothing(course):
    (course / "submissions" / "dan").mkdir()  # submitted nothing
    times = dict.fromkeys(("ada", "=cy", "dan"), datetime(2026, 12, 3))
    results = apply_late_rules(graded(course), [parse_late_rule("2026-12-01T12:00 10/day")], times)
    assert [result.student for result in results if result.late] == ["ada"]


@pytest.mark.parametrize("rule", ["tomorrow", "2026-13-01T00:00 10/day", "2026-12-01 10/day", "10/day"])
def test_a_wrong_late_rule_is_refused_with_an_example(rule):
    with pytest.raises(ValueError, match="10/day max 50"):
        parse_late_rule(rule)


CONFIG = """
marks = "marks.csv"

[late]
deadline = 2026-12-01T23:59:00
percent_per_day = 10

[late.02]
deadline = 2026-12-08T23:59:00
percent_per_day = 20
max_percent = 50

[columns]
Username = "student"
"Lab 99" = "99"
"""


def test_the_configuration_holds_late_rules_marks_and_columns(tmp_path):
    path = tmp_path / "grading.toml"
    path.write_text(CONFIG)
    assert read_config(path) == GradingConfig(
        late_rules=(
            LateRule(None, datetime(2026, 12, 1, 23, 59), 10.0),
            LateRule("02", datetime(2026, 12, 8, 23, 59), 20.0, 50.0),
        ),
        marks=tmp_path / "marks.csv",
        columns={"Username": "student", "Lab 99": "99"},
    )
    path.write_text("[late]\ndeadline = 2026-12-01T23:59:00Z\npercent_per_day = 10\ngrace_minutes = 15")
    (rule,) = read_config(path).late_rules
    assert rule.deadline.astimezone() == datetime(2026, 12, 1, 23, 59, tzinfo=UTC)
    assert rule.grace_minutes == 15
    path.write_text("")
    assert read_config(path) == GradingConfig()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[late]", "[late", "not valid TOML"),
        ("marks =", "mark =", "unknown key 'mark'"),
        ("percent_per_day = 10", "per_day = 10", r"unknown key 'per_day' in \[late\]"),
        ("2026-12-01T23:59:00", '"tomorrow"', r"deadline in \[late\]"),
        ("2026-12-01T23:59:00", "2026-12-01", "deadline"),
        ("percent_per_day = 20", "percent_per_day = 120", r"percent_per_day in \[late.02\]"),
        ("percent_per_day = 20", "percent_per_day = true", "from 0 to 100"),
        ("percent_per_day = 20", "percent_per_day = nan", "from 0 to 100"),
        ('= "99"', "= 99", "columns"),
        ('"marks.csv"', "3", "marks"),
    ],
)
def test_a_wrong_configuration_is_refused_and_names_its_key(tmp_path, old, new, words):
    path = tmp_path / "grading.toml"
    assert old in CONFIG
    path.write_text(CONFIG.replace(old, new, 1))
    with pytest.raises(ValueError, match=rf"grading.toml.*{words}"):
        read_config(path)


def test_the_configuration_of_the_workbook_is_read_and_flags_override_it(course, monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_HOME", str(course))
    os.utime(course / "submissions" / "ada" / hostile.NAME, (0, 0))
    (course / "marks.csv").write_text("student,lab,question,points\nada,99,99.4,5\n")
    (course / "grading.toml").write_text(
        'marks = "marks.csv"\n[late]\ndeadline = 2020-01-01T00:00:00\npercent_per_day = 50\n'
        'max_percent = 50\n[columns]\nWho = "student"\nSum = "total"\n'
    )
    command = ["grade", str(course / "submissions"), "--out", str(course / "out")]
    assert main(command) == 0
    assert (course / "out" / "lms.csv").read_text().splitlines() == [
        "Who,Sum",
        "'=cy,0.0",
        "ada,35.0",
        "bob,10.0",
    ]
    assert main([*command, "--late", "2020-01-01T00:00 10/day max 10"]) == 0
    assert "bob,18.0" in (course / "out" / "lms.csv").read_text()
    (course / "grading.toml").write_text("deadline = 3")
    capsys.readouterr()
    assert main(command) == 2
    assert "unknown key 'deadline'" in capsys.readouterr().err


def test_a_stored_result_comes_back_as_it_was_and_a_strange_one_not_at_all(course):
    results = graded(course)
    assert read_results(course / "out") == results
    others = [result for result in results if result.student != "ada"]
    path = next((course / "out" / "results").glob("*/ada*.json"))
    stored = json.loads(path.read_text())
    for change in ({"marks": 3}, {"marks": [{}]}, {"student": None}, {"sandbox": "docker"}, {"key": 1}):
        path.write_text(json.dumps(stored | change))
        assert read_results(course / "out") == others
    stored["marks"][0]["status"] = "late"
    path.write_text(json.dumps(stored))
    assert read_results(course / "out") == others


def test_an_lms_gets_the_columns_it_wants(course):
    table = course / "columns.csv"
    table.write_text('column,value\nUsername,student\n"Lab, first [35]",99\nQ3,99.3\nSum,total\n')
    write_tables(course / "out", graded(course), read_columns(table))
    lines = (course / "out" / "lms.csv").read_text().splitlines()
    assert lines[0] == 'Username,"Lab, first [35]",Q3,Sum'
    assert "bob,20.0,0,20.0" in lines
    with pytest.raises(ValueError, match="ask for letter"):
        write_tables(course / "out", [], {"Grade": "letter"})
    table.write_text("heading,value\nGrade,total\n")
    with pytest.raises(ValueError, match="no column column"):
        read_columns(table)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"students": ["zoe"]}, "no submission of zoe"),
        ({"processes": 0}, "at least 1"),
        ({"sandbox": "docker"}, "one of auto, bwrap, none"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(course, change, words):
    with pytest.raises(ValueError, match=words):
        graded(course, **change)
    assert not (course / "out").exists()


def test_files_of_an_lms_are_not_students_and_a_single_notebook_is(course, monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_HOME", str(course))
    strays = ("README.md", "Thumbs.db", "desktop.ini", "index.html", "submission_metadata.yml")
    for name in strays:
        (course / "submissions" / name).write_text("x")
    (course / "submissions" / "dan.ipynb").write_text(json.dumps(hostile.solved(LAB)))
    (course / "submissions" / "eve.pdf").write_bytes(b"%PDF")
    assert main(["grade", str(course / "submissions"), "--out", str(course / "out")]) == 0
    assert f"not taken for students: {', '.join(strays)}" in capsys.readouterr().err
    with (course / "out" / "summary.csv").open(newline="") as file:
        earned = {row["student"]: float(row["earned"]) for row in csv.DictReader(file)}
    assert earned == {"ada": 30, "bob": 20, "'=cy": 0, "dan": 30, "eve": 0}


def test_results_are_not_written_among_the_submissions(course):
    with pytest.raises(ValueError, match="contains the other"):
        run_jobs(course / "submissions", [], Options(course / "submissions" / "out"))


def test_a_lab_that_was_not_recorded_is_refused(course):
    lab = hostile.small_class_lab()
    hostile.cell_of(lab, "99-2-hidden").outputs = []
    nbformat.write(lab, course / "labs" / hostile.NAME)
    with pytest.raises(ValueError, match=r"exercise 99\.2 is not recorded"):
        graded(course)


def test_git_ignores_the_folders_that_the_guide_puts_personal_data_in():
    guide = (settings.home() / "docs" / "instructor.md").read_text(encoding="utf-8")
    folders = {f"/{name}/" for name in re.findall(r"(submissions|grades|marks)/\d\d", guide)}
    assert folders == {"/submissions/", "/grades/", "/marks/"}
    assert folders <= set((settings.home() / ".gitignore").read_text(encoding="utf-8").splitlines())


def test_only_one_student_is_graded_again_and_the_others_stay(course):
    graded(course)
    assert points(graded(course, students=["bob"])) == {"ada": 30, "bob": 20, "=cy": 0}


def test_feedback_shows_marks_and_answers_but_no_hidden_cell_and_no_solution(course):
    results = graded(course)
    feedback.write_feedback(course / "out", [course / "labs" / hostile.NAME], results)
    page = next((course / "out" / "feedback").glob("bob*/*.html")).read_text()
    text = BeautifulSoup(page, "html.parser").get_text()
    assert "99.3: 0 of 10 points" in text
    assert "expected 2.0, got 1" in text
    assert "return values[0]" in text
    for secret in ("0.125", "triple(k)", "[0.5, 4]", "2.25", "len(values)", "Because."):
        assert secret not in text
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_what_a_student_wrote_cannot_run_in_a_page(course):
    notebook = hostile.solved(
        LAB, {**hostile.SOLUTIONS, "99.3": "raise ValueError('<script>alert(1)</script>')"}
    )
    hostile.cell_of(notebook, "99-why").source = "<img src=x onerror=alert(2)><script>alert(3)</script>"
    hostile.as_folder(notebook)(course / "submissions" / "<script>alert(4)<script>")
    page = class_page(course)
    for path in [page, *(course / "out" / "feedback").rglob("*.html")]:
        soup = BeautifulSoup(path.read_text(), "html.parser")
        assert all("alert" not in script.text for script in soup.find_all("script"))
        assert all(not name.startswith("on") for tag in soup.find_all(True) for name in tag.attrs)


PNG = "iVBORw0KGgo="


@pytest.mark.parametrize(
    ("link", "attachments", "shown"),
    [
        ("attachment:gone.png", {}, "gone.png is missing"),
        ("attachment:a.svg", {"a.svg": {"image/svg+xml": "PHN2Zy8+"}}, "a.svg is missing"),
        (
            "attachment:a.gif",
            {"a.gif": {"image/gif": "R0lGODlhAQABAAAAACw="}},
            "data:image/gif;base64,R0lG",
        ),
        ("attachment:a%20b.png", {"a b.png": {"image/png": PNG}}, f"data:image/png;base64,{PNG}"),
        ("attachment:a.png", {"a.png": 3}, "a.png is missing"),
    ],
)
def test_any_picture_in_an_answer_leaves_all_pages_complete(course, link, attachments, shown):
    notebook = hostile.solved(LAB)
    answer = hostile.cell_of(notebook, "99-why")
    answer.source = f"See ![p]({link})."
    answer["attachments"] = attachments
    (course / "submissions" / "dan").mkdir()
    (course / "submissions" / "dan" / hostile.NAME).write_text(json.dumps(notebook))
    class_page(course)
    pages = {
        path.parent.name[:3]: path.read_text() for path in (course / "out" / "feedback").glob("*/*.html")
    }
    assert len(pages) == 4
    assert shown in pages["dan"]


def test_an_answer_embeds_no_file_of_the_grader(course, monkeypatch):
    """A link to a picture in the folder of the grader stays a link."""
    monkeypatch.chdir(course)
    (course / "figure.png").write_bytes(b"secret picture")
    notebook = hostile.solved(LAB)
    hostile.cell_of(notebook, "99-why").source = '![a](figure.png) <img src="figure.png">'
    hostile.as_folder(notebook)(course / "submissions" / "dan")
    class_page(course)
    page = next((course / "out" / "feedback").glob("dan*/*.html")).read_text()
    assert "data:image" not in page
    assert base64.b64encode(b"secret picture").decode() not in page


def test_a_page_that_cannot_be_rendered_costs_only_its_own_student(course, monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_HOME", str(course))
    notebook = hostile.solved(LAB, {**hostile.SOLUTIONS, "99.3": "def mean(values):\n    return values[0]"})
    answer = hostile.cell_of(notebook, "99-why")
    picture = base64.b64encode(bytes(4_500_000)).decode()
    answer.source, answer["attachments"] = "![p](attachment:p.png) " * 8, {"p.png": {"image/png": picture}}
    (course / "submissions" / "bob" / hostile.NAME).write_text(json.dumps(notebook))
    assert main(["grade", str(course / "submissions"), "--out", str(course / "out")]) == 1
    assert "1 feedback pages show only the marks" in capsys.readouterr().err
    assert len(list((course / "out" / "feedback").glob("*/*.html"))) == 3
    with (course / "out" / "summary.csv").open(newline="") as file:
        warnings = {row["student"]: row["warnings"] for row in csv.DictReader(file)}
    assert "more than 40 MB" in warnings["bob"]
    assert "more than 40 MB" not in warnings["ada"]
    page = next((course / "out" / "feedback").glob("bob*/*.html")).read_text()
    assert "99.3: 0 of 10 points" in BeautifulSoup(page, "html.parser").get_text()
    assert "values[0]" not in page


def test_the_class_page_lists_everyone_and_links_to_pages_that_are_there(course):
    page = class_page(course)
    soup = BeautifulSoup(page.read_text(), "html.parser")
    table = soup.find(id="students")
    assert [row.th.text for row in table.tbody.find_all("tr")] == ["=cy", "ada", "bob"]
    links = [link["href"] for link in table.find_all("a")]
    assert len(links) == 3
    assert all((course / "out" / link).is_file() for link in links)
    questions = soup.find_all("table")[1].tbody.find_all("tr")
    assert [row.th.text for row in questions] == ["99.4", "99.3", "99.1", "99.2"]


def test_a_written_question_is_ranked_by_difficulty_only_when_all_its_answers_are_marked(tmp_path):
    def shares(*statuses):
        results = [
            GradedLab(
                f"student{number}",
                LabId("99_small"),
                "key",
                (Mark("99.1", 5, 10, "wrong"), Mark("99.4", 4.0 * (status == "marked"), 4, status)),
            )
            for number, status in enumerate(statuses)
        ]
        page = feedback.write_class_page(tmp_path, results, {})
        rows = BeautifulSoup(page.read_text(), "html.parser").find_all("table")[1].tbody.find_all("tr")
        return [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in rows]

    waiting = "not marked yet: 2 answers to mark"
    assert shares("not started", "to mark", "to mark") == [["99.1", "50.0", ""], ["99.4", "–", waiting]]
    assert shares("not started", "to mark", "marked")[1][1:] == ["–", "not marked yet: 1 answer to mark"]
    assert shares("not started", "marked", "missing") == [["99.4", "33.3", ""], ["99.1", "50.0", ""]]


def test_the_class_page_shows_every_lab_of_the_out_folder_whichever_was_named(course, monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_HOME", str(course))
    nbformat.write(LAB, course / "labs" / "98_other.ipynb")
    (course / "labs" / "97_draft.ipynb").write_text("not read: nobody was graded in it")
    (course / "submissions" / "ada" / "98_other.ipynb").write_bytes(
        (course / "submissions" / "ada" / hostile.NAME).read_bytes()
    )
    command = ["grade", str(course / "submissions"), "--out", str(course / "out")]
    assert main([*command, "--lab", "98"]) == 0
    hostile.as_folder(hostile.solved(LAB))(course / "submissions" / "zoe")
    assert main([*command, "--lab", "99"]) == 0
    capsys.readouterr()
    table = BeautifulSoup((course / "out" / "index.html").read_text(), "html.parser").find(id="students")
    rows = {row.th.text: [cell.text for cell in row.find_all("td")] for row in table.tbody.find_all("tr")}
    assert rows["ada"][:4] == ["30.0", "30.0", "60.0", "85.7"]
    assert rows["zoe"][:4] == ["–", "30.0", "30.0", "42.9"]
    for row in rows.values():
        assert float(row[2]) == sum(float(cell) for cell in row[:2] if cell != "–")
    assert all((course / "out" / link["href"]).is_file() for link in table.find_all("a"))
    assert len(table.find_all("a")) == 7


def test_without_bubblewrap_the_command_says_loudly_what_is_not_protected(course, monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_HOME", str(course))
    status = main(["grade", str(course / "submissions"), "--out", str(course / "out"), "--sandbox", "none"])
    shown = capsys.readouterr()
    assert status == 0
    assert "NOT PROTECTED" in shown.err
    assert UNPROTECTED in shown.err
    assert UNPROTECTED in (course / "out" / "index.html").read_text()
    assert "3 results, 1 to look at" in shown.out


def test_the_command_grades_merges_and_writes_everything(course, monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_HOME", str(course))
    os.utime(course / "submissions" / "ada" / hostile.NAME, (0, 0))
    (course / "marks.csv").write_text("student,lab,question,points\nada,99,99.4,5\n")
    arguments = ["--manual", str(course / "marks.csv"), "--late", "2020-01-01T00:00 50/day max 50"]
    arguments.append("--notebooks")
    assert main(["grade", str(course / "submissions"), "--out", str(course / "out"), *arguments]) == 0
    capsys.readouterr()
    with (course / "out" / "summary.csv").open(newline="") as file:
        earned = {row["student"]: float(row["earned"]) for row in csv.DictReader(file)}
    assert earned == {"ada": 35, "bob": 10, "'=cy": 0}
    assert len(list((course / "out" / "notebooks").glob(f"*/{hostile.NAME}"))) == 3

"""The nbval run as a person starts it: ``pytest --nbval``, in its own process, over small labs.

One run judges every lab below; the tests read its output and its JUnit file.
"""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest
from small_labs import cell_of, code, small_lab, write

from labkit.course.notebook.execution import record

pytestmark = pytest.mark.heavy

NBVAL = [
    sys.executable,
    "-m",
    "pytest",
    "-p",
    "no:cacheprovider",
    "-W",
    "error",
    "--nbval",
    "--nbval-current-env",
    "--rootdir=.",  # not what a file in a folder above says
]
# Cells of 99_xpass are expected to fail, but pass.
CONFTEST = """
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        if "xpass" in item.nodeid:
            item.add_marker(pytest.mark.xfail(reason="test", strict=False))
"""


def _changed_table(mime, old, new):
    def change(notebook):
        data = cell_of(notebook, "99-table").outputs[0].data
        assert old in data[mime]
        data[mime] = data[mime].replace(old, new)

    return change


def _integer(notebook):
    output = cell_of(notebook, "99-1-check").outputs[0]
    output.text = output.text.replace("(3 cases)", "(4 cases)")


def _one_point(notebook):
    """An accuracy one point off, with the tolerance that lab 02 has for accuracies."""
    _changed_table("text/plain", "91.40", "92.40")(notebook)


def _more_and_fewer(notebook):
    """A stream that is not printed any more, and a result that was not recorded."""
    cell_of(notebook, "99-table").outputs.append(nbformat.v4.new_output("stream", text="gone\n"))
    cell_of(notebook, "99-1-hidden").outputs.clear()


def _two_outputs(notebook):
    """Two differences in one cell; the second one alone is within the tolerance."""
    cell = cell_of(notebook, "99-table")
    cell.source += "\nprint('4.0 is printed')"
    cell.outputs.append(nbformat.v4.new_output("stream", text="4.1 is printed\n"))
    _one_point(notebook)


def _claim(notebook):
    output = cell_of(notebook, "99-claim").outputs[0]
    output.text = output.text.replace("holds", "does not hold")


def _uncounted(notebook):
    cell_of(notebook, "99-1-hidden").execution_count = None


def _dying(notebook):
    cell_of(notebook, "99-1-todo").source = "os._exit(1)"


def _slow(notebook):
    """Cells beyond their limit: computing, catching the interrupt, in a child, and waiting."""
    todo = cell_of(notebook, "99-1-todo")
    child = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'while True: pass'])"
    cells = [
        code("99-slow", "while True: pass", timeout=0.5),
        code("99-stubborn", "try:\n    while True: pass\nexcept KeyboardInterrupt:\n    pass", timeout=0.5),
        code("99-child", child, timeout=0.5),
        code("99-waiting", "time.sleep(90)", timeout=0.5),
    ]
    for cell in cells:
        cell.execution_count = 1
    place = notebook.cells.index(todo)
    notebook.cells[place:place] = cells


def _patient(notebook):
    """A cell that waits for longer than its limit of processor time, as on a busy machine."""
    todo = cell_of(notebook, "99-1-todo")
    todo.source = "time.sleep(3)\n" + todo.source
    todo.metadata["labkit"]["timeout"] = 1.0


def _switched_off(notebook):
    cell = cell_of(notebook, "99-1-hidden")
    cell.source = "# NBVAL_SKIP\n# NBVAL_IGNORE_OUTPUT\n" + cell.source.replace("0.1", "0.2")
    cell.metadata["tags"] = ["nbval-skip"]


def _raising(notebook):
    cell_of(notebook, "99-1-todo").source = "def double(x):\n    raise NotImplementedError('99.1')"


def _shown(compare, source=""):
    """The table changed as a timing changes; ``source`` runs before it."""

    def change(notebook):
        _changed_table("text/plain", "91.40", "17.25")(notebook)
        table = cell_of(notebook, "99-table")
        table.metadata["labkit"]["compare"] = compare
        table.source = source + table.source

    return change


def _foreign(notebook):
    for cell in notebook.cells:
        cell.metadata.clear()
    cell_of(notebook, "99-setup").source += "\n'\"labkit\": 1'"  # a source is not a label
    cell_of(notebook, "99-setup").outputs = [
        nbformat.v4.new_output("execute_result", {"text/plain": "'\"labkit\": 1'"}, execution_count=1)
    ]


CHANGES = {
    "good": lambda _: None,
    "near": _changed_table("text/plain", "91.40", "91.80"),
    "accuracy": _changed_table("text/plain", "91.40", "93.40"),
    "html": _changed_table("text/html", "91.40", "99.90"),
    "point": _one_point,
    "integer": _integer,
    "number": _more_and_fewer,
    "two": _two_outputs,
    "claim": _claim,
    "uncounted": _uncounted,
    "dying": _dying,
    "slow": _slow,
    "patient": _patient,
    "off": _switched_off,
    "raising": _raising,
    "shown": _shown(False),
    "asked": _shown(True),
    "broken": _shown(False, "raise RuntimeError('no clock')\n"),
    "unrun": lambda notebook: (
        _shown(False)(notebook),
        cell_of(notebook, "99-table").update(execution_count=None),
    ),
    "xpass": lambda _: None,
    "foreign": _foreign,
}


def _nbval(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*NBVAL, "--color=no", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def _cases(junit: Path) -> dict[tuple[str, str], ElementTree.Element]:
    """The test cases of a JUnit file by notebook and cell: ``("good", "99-table")``."""
    cases = ElementTree.parse(junit).getroot().iter("testcase")
    return {
        (case.get("classname").removesuffix(".ipynb").removeprefix("99_"), case.get("name")): case
        for case in cases
    }


def _points(case: ElementTree.Element) -> list[dict[str, object]]:
    return [
        json.loads(found.get("value")) for found in case.iter("property") if found.get("name") == "points"
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recorded lab, one changed copy of it for every entry of CHANGES, and two broken files."""
    folder = tmp_path_factory.mktemp("nbval")
    recorded = write(folder / "99_good.ipynb", small_lab())
    assert record(recorded) == []
    for name, change in CHANGES.items():
        notebook = nbformat.read(recorded, as_version=4)
        change(notebook)
        write(folder / f"99_{name}.ipynb", notebook)
    (folder / "99_truncated.ipynb").write_bytes(recorded.read_bytes()[:-100])
    twins = json.loads(recorded.read_bytes())
    twins["cells"][0]["id"] = "99-table"
    (folder / "99_twins.ipynb").write_text(json.dumps(twins), encoding="utf-8")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    return _nbval(folder, "--continue-on-collection-errors", "--junitxml=all.xml", "-rfE")


@pytest.fixture(scope="module")
def cases(run, folder):
    assert run.returncode == 1, run.stdout + run.stderr
    return _cases(folder / "all.xml")


def _failures(cases, name):
    """The cells of one notebook that failed, and why."""
    failures = {}
    for (notebook, cell), case in cases.items():
        failure = case.find("failure")
        if notebook == name and failure is not None:
            failures[cell] = failure.text
    return failures


@pytest.mark.parametrize("name", ["good", "near", "html", "foreign", "shown", "patient"])
def test_a_lab_passes_as_recorded_within_tolerance_and_whatever_its_html_says(cases, name):
    assert sum(notebook == name for notebook, _ in cases) == 6
    assert _failures(cases, name) == {}


@pytest.mark.slow
def test_it_passes_a_second_time_spread_over_processes_with_the_same_points(folder, cases):
    again = _nbval(
        folder, "99_good.ipynb", "99_near.ipynb", "-n", "2", "--dist", "loadscope", "--junitxml=again.xml"
    )
    assert again.returncode == 0, again.stdout + again.stderr
    for key, case in _cases(folder / "again.xml").items():
        assert _points(case) == _points(cases[key])


def test_spreading_the_cells_of_one_notebook_is_refused(folder):
    refused = _nbval(folder, "99_good.ipynb", "-n", "2")
    assert refused.returncode == 4
    assert "add --dist loadscope" in refused.stderr


def test_an_accuracy_that_moved_two_points_fails_naming_cell_and_numbers(cases, run):
    failures = _failures(cases, "accuracy")
    assert list(failures) == ["99-table"]
    assert "99_accuracy.ipynb, cell 99-table: Cell outputs differ" in failures["99-table"]
    assert "recorded 93.40, got 91.40, apart by 2, tolerance 0.50009" in failures["99-table"]
    assert "FAILED 99_accuracy.ipynb::99-table" in run.stdout


def test_an_accuracy_that_moved_one_point_fails(cases):
    failures = _failures(cases, "point")
    assert list(failures) == ["99-table"]
    assert "cell 99-table" in failures["99-table"]
    assert "recorded 92.40, got 91.40" in failures["99-table"]


def test_outputs_that_are_missing_or_new_fail(cases):
    failures = _failures(cases, "number")
    assert list(failures) == ["99-1-hidden", "99-table"]
    assert "text/plain: recorded 0 outputs, got 1" in failures["99-1-hidden"]
    assert "stdout: recorded 1 outputs, got 0" in failures["99-table"]
    assert "gone" in failures["99-table"]


def test_only_the_output_beyond_the_tolerance_is_listed(cases):
    failures = _failures(cases, "two")
    assert list(failures) == ["99-table"]
    assert "text/plain, line 3: recorded 92.40, got 91.40" in failures["99-table"]
    assert "printed" not in failures["99-table"].partition("Source:")[0]


def test_a_claim_is_compared_word_for_word(cases):
    failures = _failures(cases, "claim")
    assert list(failures) == ["99-claim"]
    assert "cell 99-claim" in failures["99-claim"]
    assert "does not hold" in failures["99-claim"]


def test_the_share_of_its_tolerance_that_a_cell_used_is_noted(cases):
    used = {
        name: float(found.get("value"))
        for (notebook, name), case in cases.items()
        if notebook == "near"
        for found in case.iter("property")
        if found.get("name") == "tolerance_used"
    }
    assert used == {"99-table": pytest.approx(0.8, abs=0.01)}


def test_an_integer_that_moved_by_one_fails(cases):
    failures = _failures(cases, "integer")
    assert list(failures) == ["99-1-check"]
    assert "line 1: recorded 4, got 3, compared exactly" in failures["99-1-check"]


def test_a_cell_without_execution_count_fails_and_says_what_to_run(cases):
    failures = _failures(cases, "uncounted")
    assert list(failures) == ["99-1-hidden"]
    assert "no execution count" in failures["99-1-hidden"]
    assert "labkit record" in failures["99-1-hidden"]


def test_a_dead_kernel_is_noticed_at_once_and_fails_what_follows(cases):
    failures = _failures(cases, "dying")
    assert list(failures) == ["99-1-todo", "99-1-check", "99-1-hidden", "99-table", "99-claim"]
    assert "cell 99-1-todo: the kernel died while executing it" in failures["99-1-todo"]
    assert "died in an earlier cell" in failures["99-table"]
    assert float(cases["dying", "99-1-todo"].get("time")) < 5
    assert [points["earned"] for points in _points(cases["dying", "99-1-hidden"])] == [0]


def test_a_cell_beyond_its_limit_is_interrupted_and_later_cells_still_earn_points(cases):
    failures = _failures(cases, "slow")
    assert list(failures) == ["99-slow", "99-stubborn", "99-child", "99-waiting"]
    for name, failure in failures.items():
        assert f"cell {name}: not finished within its limit of 0.5 s of processor time" in failure
    assert float(cases["slow", "99-waiting"].get("time")) < 60
    assert [points["earned"] for points in _points(cases["slow", "99-1-hidden"])] == [50]


def test_a_comment_or_tag_does_not_switch_the_comparison_off(cases):
    failures = _failures(cases, "off")
    assert list(failures) == ["99-1-hidden"]
    assert "recorded 0.2, got 0.4" in failures["99-1-hidden"]


def test_the_label_compare_switches_the_comparison_off_and_nothing_else(cases):
    assert _failures(cases, "shown") == {}
    assert "recorded 17.25, got 91.40" in _failures(cases, "asked")["99-table"]
    broken = _failures(cases, "broken")
    assert list(broken) == ["99-table"]
    assert "RuntimeError" in broken["99-table"]
    assert "no clock" in broken["99-table"]
    assert "no execution count" in _failures(cases, "unrun")["99-table"]


def test_nbvals_lax_mode_does_not_switch_the_comparison_off_either(folder):
    lax = _nbval(folder, "99_integer.ipynb", "--nbval-lax", "--junitxml=lax.xml")
    assert lax.returncode == 1, lax.stdout + lax.stderr
    assert list(_failures(_cases(folder / "lax.xml"), "integer")) == ["99-1-check"]


def test_an_exception_fails_its_cell_with_the_traceback_and_earns_nothing(cases):
    failures = _failures(cases, "raising")
    assert list(failures) == ["99-1-check", "99-1-hidden"]
    assert "NotImplementedError" in failures["99-1-check"]
    assert [points["earned"] for points in _points(cases["raising", "99-1-check"])] == [0]


def test_points_are_properties_of_graded_cells_only(cases):
    points = {name: _points(case) for (notebook, name), case in cases.items() if notebook == "good"}
    assert points == {
        "99-setup": [],
        "99-1-todo": [],
        "99-1-check": [{"question": "99.1", "cell": "99-1-check", "max": 30, "earned": 30}],
        "99-1-hidden": [{"question": "99.1", "cell": "99-1-hidden", "max": 50, "earned": 50}],
        "99-table": [],
        "99-claim": [],
    }
    assert [points["earned"] for points in _points(cases["integer", "99-1-check"])] == [0]


def test_a_cell_that_passes_unexpectedly_earns_nothing(cases, run):
    assert "6 xpassed" in run.stdout
    assert [points["earned"] for points in _points(cases["xpass", "99-1-hidden"])] == [0]


def test_a_notebook_without_labels_is_left_to_nbval(cases):
    assert [cell for name, cell in cases if name == "foreign"] == [f"Cell {number}" for number in range(6)]


def test_a_broken_notebook_is_named_and_does_not_stop_the_others(run):
    assert "99_truncated.ipynb: not JSON" in run.stdout
    assert "99_twins.ipynb: several cells have the id 99-table" in run.stdout


def test_the_plugin_and_what_it_reads_start_without_torch_or_matplotlib():
    program = (
        "import sys, labkit.course.nbval_plugin.hooks, labkit.course.notebook.structure, labkit.course.nbval_plugin.items, labkit.course.notebook.lint;"
        "print({'torch', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""A cell that needs an exercise which is not started says so in one line, and other errors stay as they are."""

import nbformat
import pytest
from small_labs import code, write

from labkit.course.notebook import structure
from labkit.course.notebook.execution import run_all

pytestmark = pytest.mark.heavy

STUB = 'raise NotImplementedError("Exercise 01.1")'
CELLS = {
    "setup": "from labkit.checks import check",
    "todo": f"def gradient(*_):\n    {STUB}",
    "check": 'check("01.1", gradient, gradient)',
    "run": "before = 1\nloss = [gradient(1) for _ in range(3)]\nafter = 2",
    "next": "rounded = [round(value, 2) for value in loss]",
    "last": "print(before)\nrounded[0]",
    "own-name": "print(misspelled)",
    "own-error": "raise NotImplementedError('my own')",
    "fine": "print(before + 1)",
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The result of running the cells as a student's notebook, and their outputs by id."""
    root = tmp_path_factory.mktemp("needed")
    cells = [code(name, source) for name, source in CELLS.items()]
    for cell in cells:
        cell.metadata["tags"] = ["raises-exception"]
    path = write(root / "01_lab.ipynb", nbformat.v4.new_notebook(cells=cells))
    (result,) = run_all([path], out=root / "out")
    executed = structure.read_notebook(root / "out" / path.name)
    return result, {cell.id: cell.outputs for cell in executed.cells}


def test_cells_that_need_it_directly_or_not_say_so_in_one_line(ran):
    _, outputs = ran
    needs = "This cell needs exercise 01.1, which is not started yet"
    assert outputs["run"][-1].traceback == [f"{needs}."]
    assert outputs["next"][-1].traceback == [f"{needs}: without it there is no 'loss'."]
    assert outputs["last"][-1].traceback == [f"{needs}: without it there is no 'rounded'."]
    assert len(outputs["check"][-1].traceback) == 1
    assert outputs["last"][0].text == "1\n", "what the cell did until then stays"
    assert outputs["fine"][0].text == "2\n", "the rest goes on"


def test_errors_of_the_students_own_are_shown_as_before(ran):
    _, outputs = ran
    for name, words in (("own-name", "misspelled"), ("own-error", "my own")):
        shown = "\n".join(outputs[name][-1].traceback)
        assert words in shown
        assert "Traceback" in shown


def test_running_reports_a_genuine_failure_and_not_those_that_only_need_the_exercise(ran):
    result, _ = ran
    assert result.error == "cell own-name: NameError: name 'misspelled' is not defined (and 1 more)"

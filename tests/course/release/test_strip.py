import copy
import json
import re

import nbformat
import pytest
from nbclient import NotebookClient
from small_labs import cell_of, code, small_lab

from labkit import settings
from labkit.course.notebook import structure
from labkit.course.notebook.normal_form import to_bytes
from labkit.course.release.strip import is_started, strip, stub

LABS = sorted((settings.home() / "labs").glob("[0-9][0-9]_*.ipynb"))


def _executed_lab():
    """The small lab with a prediction and recorded outputs, one of them telling."""
    lab = small_lab()
    lab.cells.insert(2, code("99-guess", "guess = (1,\n  2)  # two numbers\n", role="predict"))
    for count, cell in enumerate(structure.code_cells(lab), 1):
        cell.execution_count = count
        cell.outputs = [nbformat.v4.new_output("stream", text="secret\n")]
    cell_of(lab, "99-1-check").outputs = [
        nbformat.v4.new_output("stream", text="99.1 ok (3 cases)\n"),
        nbformat.v4.new_output("display_data", {"text/plain": "secret"}),
    ]
    cell_of(lab, "99-answer").source = "**Why?**\n\nIt doubles."
    return lab


def test_a_solution_becomes_a_stub_that_names_its_exercise():
    released = strip(small_lab())
    namespace = {}
    exec(cell_of(released, "99-1-todo").source, namespace)
    with pytest.raises(NotImplementedError, match=r"^Exercise 99\.1$"):
        namespace["double"](1)
    assert namespace["double"].__doc__ == "Twice ``x``."


def test_every_solution_of_a_cell_is_replaced_at_its_own_indentation():
    source = (
        "class A:\n    def f(self):\n        ### BEGIN SOLUTION\n        return 1\n        ### END SOLUTION\n"
        "### BEGIN SOLUTION\nb = 2\n### END SOLUTION"
    )
    assert stub(source, "1.2") == (
        "class A:\n    def f(self):\n        # TODO 1.2: replace the next line\n"
        '        raise NotImplementedError("Exercise 1.2")\n'
        '# TODO 1.2: replace the next line\nraise NotImplementedError("Exercise 1.2")'
    )


def test_a_released_check_carries_the_points_of_the_whole_exercise_and_the_source_stays():
    lab = small_lab()
    released = strip(lab)
    assert cell_of(released, "99-1-check").metadata.labkit.points == 80
    assert sum(structure.cell_info(cell).points for cell in released.cells) == 100
    assert cell_of(lab, "99-1-check").metadata.labkit.points == 30


def test_hidden_cells_outputs_and_counts_go():
    released = strip(_executed_lab())
    assert "99-1-hidden" not in [cell.id for cell in released.cells]
    assert [cell.id for cell in released.cells if cell.get("outputs")] == []
    assert "secret" not in json.dumps(released)
    assert all(cell.execution_count is None for cell in released.cells if cell.cell_type == "code")
    nbformat.validate(released)


@pytest.mark.heavy
def test_a_blank_release_runs_to_its_end(tmp_path):
    lab = small_lab()
    cell_of(lab, "99-1-check").source = "double(2)"
    released = strip(lab)
    released.cells.append(code("99-last", "print('reached')"))
    NotebookClient(released, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert released.cells[-1].outputs[0].text == "reached\n"
    (failed,) = cell_of(released, "99-1-check").outputs
    assert (failed.ename, failed.evalue) == ("NotImplementedError", "Exercise 99.1")


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("guess = (1,\n  2)  # two", "guess = None  # two"),
        ("# σ = 1\nσ = 'é'  # é\nb: float = 2.0", "# σ = 1\nσ = None  # é\nb: float = None"),
        ("a = b = [\n 1\n]", "a = b = None"),
        ("a = 1; b = 2", "a = None; b = None"),
        ("", ""),
    ],
)
def test_a_prediction_keeps_its_name_and_comment(source, left):
    lab = small_lab()
    lab.cells.insert(2, code("99-guess", source, role="predict"))
    assert cell_of(strip(lab), "99-guess").source == left


def test_a_prediction_that_is_no_code_is_named():
    lab = small_lab()
    lab.cells.insert(2, code("99-guess", "guess = = 1", role="predict"))
    with pytest.raises(ValueError, match="cell 99-guess is not Python code"):
        strip(lab)


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("It doubles.", "*Write your answer here.*"),
        ("**Why?**\n\nBecause **x**.", "**Why?**\n\n*Write your answer here.*"),
        ("## Why?\n\nBecause.", "## Why?\n\n*Write your answer here.*"),
        ("**True**, because it is.\n\nMore.", "*Write your answer here.*"),
    ],
)
def test_a_written_answer_keeps_its_question_only(source, left):
    lab = small_lab()
    question = cell_of(lab, "99-answer")
    question.source, question["attachments"] = source, {"answer.png": {"image/png": "AAAA"}}
    answer = cell_of(strip(lab), "99-answer")
    assert answer.source == left
    assert "attachments" not in answer


def test_checks_and_setup_are_locked_and_answers_cannot_be_deleted():
    released = strip(small_lab())
    locks = {
        cell.id: (cell.metadata.get("editable"), cell.metadata.get("deletable")) for cell in released.cells
    }
    assert locks["99-1-check"] == locks["99-setup"] == (False, False)
    assert locks["99-1-todo"] == locks["99-answer"] == (None, False)
    assert locks["99-table"] == (None, None)
    assert cell_of(released, "99-1-check").metadata.nbgrader.locked is True


def test_stripping_changes_nothing_in_its_input_and_twice_is_once():
    lab = _executed_lab()
    before = copy.deepcopy(lab)
    released = strip(lab)
    assert lab == before
    again = strip(released)
    for cell in (*released.cells, *again.cells):
        cell.pop("outputs", None)
    assert [cell.source for cell in again.cells] == [cell.source for cell in released.cells]


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_a_released_lab_is_a_valid_notebook_without_solutions(path):
    released = strip(structure.read_lab(path))
    nbformat.validate(released)
    content = to_bytes(released).decode()
    assert "SOLUTION" not in content
    stubs = re.findall(r"raise NotImplementedError", content)
    assert len(stubs) == to_bytes(structure.read_lab(path)).decode().count("BEGIN SOLUTION") > 0


STUB = 'raise NotImplementedError("Exercise 99.1")'


@pytest.mark.parametrize(
    ("source", "started"),
    [
        ("", False),
        ("  \n# I do not know\n", False),
        (f"def double(x):\n    # TODO 99.1: replace the next line\n    {STUB}", False),
        (f"def double(x):\n    y = 2 * x\n    {STUB}\n    return y", False),
        (f"def double(x):\n    for i in range(2):\n        {STUB}", False),
        (f"def one():\n    return 1\ndef double(x):\n    {STUB}", False),
        (f"class A:\n    def double(self, x):\n        {STUB}", False),
        (f"def double(x):\n    def inner():\n        return 1\n    {STUB}", False),
        (f"def double(x):\n    return 2 * x\n    {STUB}", True),
        (f"def double(x):\n    if x:\n        return 2 * x\n    {STUB}", True),
        (f"def double(x):\n    # {STUB}\n    return 2 * x", True),
        ("def double(x):\n    raise NotImplementedError", True),
        ("def double(x)\n    return", True),
        ("def double(x):\n    pass", True),
    ],
)
def test_a_todo_is_started_unless_it_is_empty_or_reaches_its_stub(source, started):
    assert is_started(cell_of(small_lab(), "99-1-todo"), source) is started


@pytest.mark.parametrize(
    ("source", "started"),
    [
        ("", False),
        ("*Write your answer here.*", False),
        ("**Why?**\n\n*Write your answer here.*\n", False),
        ("**Why?**", True),
        ("**Why?**\n\nBecause.", True),
    ],
)
def test_a_written_answer_is_started_if_it_holds_more_than_the_question(source, started):
    assert is_started(cell_of(small_lab(), "99-answer"), source) is started

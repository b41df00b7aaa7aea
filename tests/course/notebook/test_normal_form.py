import nbformat
import pytest
from nbformat.v4 import new_output
from small_labs import cell_of, small_lab

from labkit.course.notebook.normal_form import normalise, to_bytes


@pytest.fixture
def executed():
    """A lab as an editor and a kernel leave it."""
    notebook = small_lab()
    notebook.metadata = {
        "kernelspec": {"name": "my-env", "display_name": "My env"},
        "language_info": {"name": "python", "version": "3.12.1"},
        "widgets": {},
    }
    for count, cell in enumerate(notebook.cells, 7):
        cell.metadata["tags"] = ["draft"]
        cell.metadata["nbgrader"] = {"grade_id": "old", "checksum": "1"}
        if cell.cell_type == "code":
            cell.execution_count = count
            cell.metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
    check = cell_of(notebook, "99-1-check")
    check.outputs = [
        new_output("stream", name="stdout", text="99.1 ok "),
        new_output("stream", name="stdout", text="(3 cases)\n"),
        new_output("stream", name="stderr", text="careful\n"),
        new_output("stream", name="stdout", text="end\n"),
    ]
    data = {"image/png": "AAAA", "text/plain": "Figure: it"}
    metadata = {"image/png": {"alt": "a line", "width": 80}, "needs_background": "light"}
    cell_of(notebook, "99-table").outputs = [
        new_output("display_data", data, metadata=metadata),
        new_output("execute_result", {"text/plain": "1"}, execution_count=99),
        new_output("error", ename="E", evalue="e", traceback=["t"]),
    ]
    return notebook


def test_normalising_twice_is_normalising_once(executed):
    once = normalise(executed)
    assert to_bytes(normalise(once)) == to_bytes(once)
    assert to_bytes(normalise(nbformat.reads(to_bytes(once).decode(), as_version=4))) == to_bytes(once)


def test_the_normal_form_is_a_valid_notebook_and_the_original_is_not_touched(executed):
    before = nbformat.writes(executed)
    nbformat.validate(normalise(executed))
    assert nbformat.writes(executed) == before


def test_the_label_that_switches_the_comparison_off_stays(executed):
    cell_of(executed, "99-table").metadata["labkit"]["compare"] = False
    assert cell_of(normalise(executed), "99-table").metadata["labkit"]["compare"] is False


def test_only_listed_metadata_stay(executed):
    normal = normalise(executed)
    assert normal.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert {key for cell in normal.cells for key in cell.metadata} == {"labkit", "nbgrader"}
    figure = cell_of(normal, "99-table").outputs[0]
    assert figure.metadata == {"image/png": {"alt": "a line"}}
    assert b"2026" not in to_bytes(normal)


def test_ids_stay_and_executed_cells_are_counted_from_one(executed):
    cell_of(executed, "99-1-hidden").execution_count = None
    cell_of(executed, "99-1-hidden").outputs = [new_output("stream", text="left over")]
    normal = normalise(executed)
    assert [cell.id for cell in normal.cells] == [cell.id for cell in executed.cells]
    counts = [cell.execution_count for cell in normal.cells if cell.cell_type == "code"]
    assert counts == [1, 2, 3, None, 4, 5]
    assert cell_of(normal, "99-1-hidden").outputs == []
    assert cell_of(normal, "99-table").outputs[1].execution_count == 4


def test_neighbouring_pieces_of_a_stream_are_joined_in_order(executed):
    outputs = cell_of(normalise(executed), "99-1-check").outputs
    assert [(output.name, output.text) for output in outputs] == [
        ("stdout", "99.1 ok (3 cases)\n"),
        ("stderr", "careful\n"),
        ("stdout", "end\n"),
    ]


def test_text_printed_after_a_figure_stays_after_it(executed):
    check = cell_of(executed, "99-1-check")
    figure = new_output("display_data", {"text/plain": "Figure"})
    check.outputs = [new_output("stream", text="a\n"), figure, new_output("stream", text="b\n")]
    types = [output.output_type for output in cell_of(normalise(executed), "99-1-check").outputs]
    assert types == ["stream", "display_data", "stream"]


def test_nbgrader_metadata_follow_from_the_roles(executed):
    cells = normalise(executed).cells
    metadata = {cell.id: cell.metadata.get("nbgrader") for cell in cells}
    flags = {
        name: (grading["solution"], grading["grade"], grading["locked"], grading.get("points"))
        for name, grading in metadata.items()
        if grading
    }
    assert flags == {
        "99-setup": (False, False, True, None),
        "99-1-todo": (True, False, False, None),
        "99-1-check": (False, True, True, 30),
        "99-1-hidden": (False, True, True, 50),
        "99-answer": (True, True, False, 20),
    }
    graded = [grading for grading in metadata.values() if grading]
    assert {grading["schema_version"] for grading in graded} == {3}
    assert len({grading["grade_id"] for grading in graded}) == len(graded)
    assert not any(grading["task"] for grading in graded)
    assert metadata["99-answer"]["cell_type"] == "markdown"


def test_attachments_stay_and_blank_ends_of_sources_go(executed):
    executed.cells[0].attachments = {"a.png": {"image/png": "AAAA"}}
    executed.cells[0].source = "\n# Lab 99  \n\n"
    cell = normalise(executed).cells[0]
    assert cell.attachments == {"a.png": {"image/png": "AAAA"}}
    assert cell.source == "# Lab 99"

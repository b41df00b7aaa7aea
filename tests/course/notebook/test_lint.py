import re

import pytest
from nbformat.v4 import new_output
from small_labs import TODO, cell_of, code, markdown, small_lab

from labkit.course.notebook.lint import lint
from labkit.course.notebook.structure import code_cells


def _lab(change=lambda _: None):
    """The small lab after ``change``, its cells counted as if executed."""
    notebook = small_lab()
    change(notebook)
    for count, cell in enumerate(code_cells(notebook), 1):
        cell.execution_count = count
    cell_of(notebook, "99-claim").outputs.append(new_output("stream", text="holds: x\n"))
    return notebook


def _source(name, source):
    return lambda notebook: cell_of(notebook, name).update(source=source)


def _output(place, /, *arguments, **options):
    return lambda notebook: cell_of(notebook, place).outputs.append(new_output(*arguments, **options))


def _append(*cells):
    return lambda notebook: notebook.cells.extend(cells)


def _drop_setup(notebook):
    del notebook.cells[1]


def test_a_complete_lab_has_no_findings():
    assert lint(_lab()) == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (
            _output("99-claim", "stream", text="does not hold: x\n"),
            "cell 99-claim: the claim is wrong: 'does not hold: x'; correct the text or the experiment",
        ),
        (_source("99-title", "Lab 99"), "the first cell is not a title ('# …')"),
        (_drop_setup, "the second cell is not the setup cell"),
        (_append(code("a", "1", role="check", id="99.3", points=5)), "the points sum to 105, not 100"),
        (_output("99-table", "error", ename="ValueError", evalue=""), "cell 99-table: ends in ValueError"),
        (_output("99-table", "stream", name="stderr", text="!"), "cell 99-table: writes to stderr"),
        (
            _output("99-table", "display_data", {"image/png": "AAAA"}),
            "cell 99-table: its image/png output has no alt text",
        ),
        (
            _output("99-table", "display_data", {"image/png": "A"}, metadata={"image/png": {"alt": " "}}),
            "cell 99-table: its image/png output has no alt text",
        ),
        (
            _source("99-table", "# NBVAL_IGNORE_OUTPUT\n1"),
            "cell 99-table: the comment NBVAL_IGNORE_OUTPUT has no effect in a lab; remove it",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_named(change, finding):
    assert finding in lint(_lab(change))


def test_a_file_that_is_too_large_is_named():
    (finding,) = lint(_lab(_output("99-table", "stream", text="x" * 500_000)))
    assert re.search(r"\b50\d kB", finding)


def test_cells_that_were_not_executed_or_not_in_order_are_named():
    notebook = _lab()
    cell_of(notebook, "99-setup").execution_count = None
    cell_of(notebook, "99-table").execution_count = 9
    assert lint(notebook) == [
        "cell 99-setup: not executed; run `labkit record`",
        "cell 99-table: execution count 9, expected 5",
    ]


def test_no_lines_words_or_cells_are_counted():
    long = _lab(_append(*(markdown(f"m{i}", "word " * 300) for i in range(80))))
    for name, source in (
        ("99-setup", "x = 1\n" * 60),
        ("99-1-todo", TODO.replace("    return", "    x = 1\n" * 60 + "    return")),
    ):
        cell_of(long, name).source = source
    assert lint(long) == []


def test_alt_text_is_accepted():
    figure = _output(
        "99-table", "display_data", {"image/png": "A"}, metadata={"image/png": {"alt": "A line."}}
    )
    assert lint(_lab(figure)) == []

"""The tolerances of the recorded labs: an accuracy that is one point off fails the gate."""

import re

import pytest
from nbformat.v4 import new_notebook

from labkit import settings
from labkit.course.notebook.comparison import Tolerance, differences
from labkit.course.notebook.structure import cell_info, code_cells, read_notebook
from labkit.course.reports.executed import displayed_tables
from labkit.tables import cell_text

LABS = sorted((settings.home() / "labs").glob("*.ipynb"))
ACCURACY = re.compile(r"\b(top-?\d|accuracy|validation|test|training|right)\b.*\(%\)", re.IGNORECASE)


def accuracies(table):
    """The accuracies of a table as it shows them: by their column, or by the first entry of their row."""
    for row in table["rows"]:
        for column, value in zip(table["columns"], row, strict=True):
            named = ACCURACY.search(column) or ACCURACY.search(str(row[0]))
            if named and isinstance(value, float):
                yield value, table["digits"]


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_every_compared_accuracy_is_exact_to_less_than_a_point(path):
    notebook = read_notebook(path)
    for cell in code_cells(notebook):
        info = cell_info(cell)
        tolerance = Tolerance.of(info.rtol, info.atol)
        if not info.compare:
            continue
        for table in displayed_tables(new_notebook(cells=[cell])):
            for value, digits in accuracies(table):
                recorded = cell_text(value, digits)
                for got in (value - 1, value + 1):
                    assert differences(recorded, cell_text(got, digits), tolerance), (cell.id, recorded)

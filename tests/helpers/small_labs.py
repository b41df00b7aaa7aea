"""Small notebooks for the tests of the course tooling: they need neither torch nor a data set."""

from pathlib import Path

import nbformat

TODO = (
    'def double(x):\n    """Twice ``x``."""\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION'
)
TABLE = (
    "from labkit.tables import show_table\n\n"
    'show_table("Accuracy", ["model", "top-1 (%)"], [["dense", 91.4]])'
)
CLAIM = "from labkit.checks import claim\n\nclaim('0.4 is less than 0.5', 0.4 < 0.5)"
SETUP = "import os\nimport time"


def markdown(name, source, **labels):
    cell = nbformat.v4.new_markdown_cell(source, id=name)
    cell.metadata["labkit"] = {"role": "text", **labels}
    return cell


def code(name, source, **labels):
    cell = nbformat.v4.new_code_cell(source, id=name)
    cell.metadata["labkit"] = {"role": "run", **labels}
    return cell


def small_lab():
    """A complete lab of one exercise and one table."""
    return nbformat.v4.new_notebook(
        cells=[
            markdown("99-title", "# Lab 99"),
            code("99-setup", SETUP, role="setup"),
            markdown("99-task", "Double a number."),
            code("99-1-todo", TODO, role="todo", id="99.1"),
            code(
                "99-1-check",
                'print(f"99.1 ok ({double(2) - 1} cases)")',
                role="check",
                id="99.1",
                points=30,
            ),
            markdown("99-between", "The hidden cell uses other numbers."),
            code("99-1-hidden", "[double(0.1), double(5)]", role="hidden", id="99.1", points=50),
            markdown("99-answer", "**Why?**\n\nIt doubles.", role="answer", id="99.2", points=20),
            code("99-table", TABLE, atol=0.5),
            code("99-claim", CLAIM, role="claim"),
        ]
    )


def write(path: Path, notebook) -> Path:
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return path


def cell_of(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == name)

"""Read an executed notebook for a report: its file, its title and what its cells displayed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from nbformat import NotebookNode

from labkit.course.notebook.structure import code_cells, read_notebook
from labkit.course.reports.page import plain_text
from labkit.tables import TABLE_MIME

__all__ = [
    "Status",
    "displayed_data",
    "displayed_tables",
    "first_line",
    "first_text",
    "notebook_paths",
    "notebook_title",
    "outputs",
    "read_executed",
    "status",
]

Status = Literal["executed", "failed", "not executed"]


def notebook_paths(folder: Path) -> list[Path]:
    """Return the notebooks of a folder in the order of their names.

    Raises:
        ValueError: if there is none.
    """
    paths = sorted(path for path in folder.glob("*.ipynb") if path.is_file())
    if not paths:
        raise ValueError(
            f"{folder} contains no notebook (*.ipynb). Run `labkit run` first or name another folder."
        )
    return paths


def read_executed(path: Path) -> NotebookNode:
    """Return the notebook in ``path``, valid by nbformat's schema.

    Raises:
        ValueError: if it is not valid; names the file.
        OSError: if it cannot be read.
    """
    return read_notebook(path, repair=True)


def notebook_title(stem: str, notebook: NotebookNode) -> str:
    """Return the first heading of level 1, or the file's name ``stem`` if there is none."""
    headings = re.finditer(r"^#\s+(.+)$", first_text(notebook), re.MULTILINE)
    return next((plain_text(match[1]) for match in headings), stem)


def first_text(notebook: NotebookNode) -> str:
    """Return the source of the first Markdown cell, which holds title and aims."""
    return next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")


def outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    """Yield the outputs of every cell in order."""
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def displayed_data(notebook: NotebookNode) -> Iterator[Mapping[str, Any]]:
    """Yield the MIME bundle of every displayed output in order."""
    return (output.data for output in outputs(notebook) if "data" in output)


def displayed_tables(notebook: NotebookNode) -> list[Mapping[str, Any]]:
    """Return the data of every table in order, as :func:`labkit.tables.table_bundle` makes them."""
    return [data[TABLE_MIME] for data in displayed_data(notebook) if TABLE_MIME in data]


def status(notebook: NotebookNode) -> tuple[Status, str]:
    """Return the status, and the first error or how many cells were not executed."""
    for output in outputs(notebook):
        if output.output_type == "error":
            return "failed", first_line(f"{output.ename}: {output.evalue}")
    cells = code_cells(notebook)
    idle = sum(cell.execution_count is None for cell in cells)
    if idle:
        return "not executed", f"{idle} of {len(cells)} code cells were not executed."
    return "executed", ""


def first_line(text: str) -> str:
    """Return the first line of a text, at most 300 characters of it."""
    return text.strip().partition("\n")[0][:300]

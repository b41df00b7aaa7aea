"""Write an executed lab as Markdown: its tables and the written answers, under the lab's headings.

This is the file that a course asks for beside the code, "results and analysis". Leaves out: code and text
of the lab, and figures but for their descriptions; the web page shows all (:mod:`labkit.course.reports.site`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from labkit.course.notebook.structure import cell_role
from labkit.course.reports.executed import notebook_paths, notebook_title, read_executed
from labkit.course.reports.page import alt_text
from labkit.files import write_atomically
from labkit.tables import TABLE_MIME, markdown_table

__all__ = ["write_markdown"]

WRITTEN = ("reading", "answer")  # the roles of cells that hold the reader's own words
HEADING = re.compile(r"^#{2,} .+$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def write_markdown(executed: Path, out: Path) -> list[Path]:
    """Write one Markdown file for every executed notebook of a folder.

    Args:
        executed: folder of executed notebooks, ``NN_slug.ipynb``.
        out: folder for ``NN_slug.md``; created if missing.

    Returns:
        The files written.

    Raises:
        ValueError: if ``executed`` contains no notebook, or one that cannot be read; nothing is written.
        OSError: if ``out`` cannot be written.
    """
    pages = {
        out / f"{path.stem}.md": _as_markdown(path.stem, read_executed(path))
        for path in notebook_paths(executed)
    }
    for target, text in pages.items():
        write_atomically(target, text.encode())
    return list(pages)


def _as_markdown(stem: str, notebook: NotebookNode) -> str:
    """Return the lab's title, and what each section has to show."""
    parts, headings = [f"# {notebook_title(stem, notebook)}"], list[str]()
    for cell in notebook.cells:
        role = cell_role(cell)
        if cell.cell_type == "markdown" and role not in WRITTEN:
            headings += HEADING.findall(FENCE.sub("", cell.source))
            continue
        shown = [cell.source.strip()] if role in WRITTEN else list(_displayed(cell))
        if shown:
            parts += [*headings[-1:], *shown]
            headings = []
    return "\n\n".join(parts) + "\n"


def _displayed(cell: NotebookNode) -> Iterator[str]:
    """Yield the tables of a cell, and a sentence in the place of each figure."""
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if TABLE_MIME in data:
            yield markdown_table(data[TABLE_MIME]).strip()
        elif "image/png" in data:
            yield f"*{alt_text(output)}*"

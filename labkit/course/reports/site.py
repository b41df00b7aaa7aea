"""Render executed notebooks as web pages that work offline, with an index.

Leaves out: what a page contains (:mod:`labkit.course.reports.page`) and how it looks (Jinja and CSS in
``templates/labkit``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from traitlets.config import Config

from labkit.course.notebook.structure import cell_role
from labkit.course.reports.executed import (
    Status,
    displayed_tables,
    first_line,
    first_text,
    notebook_paths,
    notebook_title,
    outputs,
    read_executed,
    status,
)
from labkit.course.reports.page import Page, alt_text, plain_text
from labkit.files import write_atomically

__all__ = ["TEMPLATES", "IndexEntry", "html_exporter", "render_all"]

TEMPLATES = Path(__file__).with_name("templates")
PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
PRIORITY = ("text/html", "text/markdown", *PICTURES, "text/latex", "text/plain")


@dataclass(frozen=True)
class IndexEntry:
    """What the index shows of one notebook; ``page`` is empty if the notebook could not be rendered."""

    title: str
    page: str = ""
    aim: str = ""
    figures: int = 0
    tables: int = 0
    status: Status = "failed"
    reason: str = ""
    seconds: float | None = None
    thumbnail: str = ""
    alt: str = ""


def render_all(executed: Path, out: Path) -> list[Path]:
    """Render every executed notebook of a folder, and an index of them.

    A notebook that cannot be read, or that contains an error, is listed on the index as failed; the
    others are rendered all the same. The same notebooks give the same bytes.

    Args:
        executed: folder of executed notebooks, ``NN_slug.ipynb``; a notebook's metadata may hold
            ``{"labkit": {"seconds": 12.3}}``.
        out: folder for ``NN_slug.html`` and ``index.html``; created if missing.

    Returns:
        The pages written, the index last.

    Raises:
        ValueError: if ``executed`` contains no notebook.
        OSError: if ``out`` cannot be written.
    """
    entries = []
    for path in notebook_paths(executed):
        try:
            entry, html = _render(path)
        except Exception as error:  # whatever is wrong with one notebook, the others get their page
            entry, html = IndexEntry(title=path.stem, reason=first_line(str(error))), ""
        if html:
            write_atomically(out / entry.page, html.encode())
        entries.append(entry)
    template = html_exporter("notebook.html.j2").environment.get_template("reports_index.html.j2")
    write_atomically(out / "index.html", template.render(labs=entries).encode())
    return [*(out / entry.page for entry in entries if entry.page), out / "index.html"]


def html_exporter(template: str, priority: Sequence[str] = PRIORITY) -> HTMLExporter:
    """Return nbconvert's exporter with one of the project's templates.

    Args:
        template: file name in ``templates/labkit``.
        priority: MIME types of an output, the first of which it has is shown.
    """
    return HTMLExporter(
        config=Config({"NbConvertBase": {"display_data_priority": list(priority)}}),
        template_name="labkit",
        template_file=template,
        extra_template_basedirs=[str(TEMPLATES)],
    )


def _render(path: Path) -> tuple[IndexEntry, str]:
    """Return a notebook's entry on the index and its page."""
    notebook = read_executed(path)
    entry = _index_entry(path.stem, notebook)
    html, _ = html_exporter("notebook.html.j2").from_notebook_node(
        _with_summary_first(notebook), resources={"lab": entry, "page": Page(path.parent)}
    )
    return entry, html


def _with_summary_first(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook with a copy of its summary cell's tables and text at the top."""
    summaries = [cell for cell in notebook.cells if cell_role(cell) == "summary"]
    tables = [
        output
        for cell in summaries
        for output in cell.get("outputs", [])
        if not set(PICTURES) & set(output.get("data", {}))
    ]
    if not tables:
        return notebook
    metadata = {"labkit": {"role": "summary-card"}}
    card = nbformat.v4.new_code_cell(outputs=tables, metadata=metadata, id="summary-card")
    return NotebookNode(notebook, cells=[card, *notebook.cells])


def _index_entry(stem: str, notebook: NotebookNode) -> IndexEntry:
    """Return what the index shows of a notebook that can be read."""
    figures = [output for output in outputs(notebook) if set(PICTURES) & set(output.get("data", {}))]
    first_png = next((figure for figure in figures if "image/png" in figure.data), None)
    state, reason = status(notebook)
    return IndexEntry(
        title=notebook_title(stem, notebook),
        page=f"{stem}.html",
        aim=_aim(notebook),
        figures=len(figures),
        tables=len(displayed_tables(notebook)),
        status=state,
        reason=reason,
        seconds=notebook.metadata.get("labkit", {}).get("seconds"),
        thumbnail=first_png.data["image/png"].replace("\n", "") if first_png else "",
        alt=alt_text(first_png) if first_png else "",
    )


def _aim(notebook: NotebookNode) -> str:
    """Return the first line of text that is neither a heading nor the introduction of a list."""
    lines = (plain_text(line) for line in first_text(notebook).splitlines() if not line.startswith("#"))
    return next((line for line in lines if line and not line.endswith(":")), "")

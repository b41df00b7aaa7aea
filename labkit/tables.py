"""The one way to show a table: aligned text, HTML and data in a single output, or Markdown.

nbval compares the text, people read the HTML, and reports and docs/results.md are built from the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

__all__ = ["TABLE_MIME", "Cell", "format_cell", "markdown_table", "show_table", "table_bundle"]

TABLE_MIME = "application/vnd.labkit.table+json"
MISSING = "–"

Cell = str | int | float | bool | np.generic | None


def show_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, digits: int = 2
) -> None:
    """Display a table in the running notebook.

    Args:
        title: what the table shows; becomes its caption.
        columns: headings, with units.
        rows: one sequence per row, as long as ``columns``; None is shown as a dash.
        digits: decimals of floating-point cells.

    Raises:
        ValueError: if a row's length differs from the number of columns.
    """
    from IPython.display import display

    display(table_bundle(title, columns, rows, digits=digits), raw=True)


def table_bundle(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, digits: int = 2
) -> dict[str, object]:
    """Return the MIME bundle that :func:`show_table` displays.

    >>> print(table_bundle("Layers", ["layer", "zeros (%)"], [["conv1", 31.024]])["text/plain"])
    Layers
    layer  zeros (%)
    conv1      31.02
    """
    for number, row in enumerate(rows):
        if len(row) != len(columns):
            raise ValueError(f"table {title!r}, row {number}: {len(row)} cells for {len(columns)} columns.")
    rows = [[cell.item() if isinstance(cell, np.generic) else cell for cell in row] for row in rows]
    texts = [[format_cell(cell, digits) for cell in row] for row in rows]
    numeric = _numeric_columns(columns, rows)
    data = {
        "title": title,
        "columns": list(columns),
        "rows": rows,
        "digits": digits,
    }
    return {
        "text/plain": _as_text(title, columns, texts, numeric),
        "text/html": _as_html(title, columns, texts, numeric),
        TABLE_MIME: data,
    }


def markdown_table(data: Mapping[str, Any]) -> str:
    """Return a table's title and rows as Markdown, from the data of its bundle.

    >>> bundle = table_bundle("Layers", ["layer", "zeros (%)"], [["conv1", 31.024]])
    >>> print(markdown_table(bundle[TABLE_MIME]))
    **Layers**
    <BLANKLINE>
    | layer | zeros (%) |
    | --- | ---: |
    | conv1 | 31.02 |
    <BLANKLINE>
    """
    columns, rows = data["columns"], data["rows"]
    texts = [[_markdown_text(format_cell(cell, data.get("digits"))) for cell in row] for row in rows]
    rule = ["---:" if numeric else "---" for numeric in _numeric_columns(columns, rows)]
    lines = [[_markdown_text(name) for name in columns], rule, *texts]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{_markdown_text(data['title'])}**\n\n{body}\n"


def format_cell(cell: object, digits: int | None = None) -> str:
    """Return a cell's text: a float with ``digits`` decimals, or with six significant digits if None.

    >>> format_cell(0.1 + 0.2), format_cell(91.5, 2), format_cell(7), format_cell(None)
    ('0.3', '91.50', '7', '–')
    """
    if cell is None:
        return MISSING
    if isinstance(cell, float):
        return f"{cell:.6g}" if digits is None else f"{cell:.{digits}f}"
    return str(cell)


def _numeric_columns(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[bool]:
    """Return for each column whether it holds numbers only (or nothing)."""
    return [all(not isinstance(row[index], str | bool) for row in rows) for index in range(len(columns))]


def _markdown_text(text: str) -> str:
    """Return a text that a Markdown table shows literally."""
    return escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def _as_text(title: str, columns: Sequence[str], texts: list[list[str]], numeric: list[bool]) -> str:
    """Return columns padded with spaces, numbers flush right."""
    table = [list(columns), *texts]
    widths = [max(len(row[index]) for row in table) for index in range(len(columns))]
    lines = [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in table
    ]
    return "\n".join([title, *lines])


def _as_html(title: str, columns: Sequence[str], texts: list[list[str]], numeric: list[bool]) -> str:
    """Return a table with a caption and column headers, which screen readers announce."""
    styles = [' style="text-align:right"' if right else ' style="text-align:left"' for right in numeric]
    head = "".join(
        f'<th scope="col"{style}>{escape(name)}</th>' for name, style in zip(columns, styles, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{style}>{escape(text)}</td>" for text, style in zip(row, styles, strict=True))
        + "</tr>"
        for row in texts
    )
    return (
        f'<table class="labkit"><caption>{escape(title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )

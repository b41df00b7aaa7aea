"""The one way a notebook shows a table: aligned text, HTML and data in a single output.

nbval compares the text; people read the HTML; the report and docs/results.md are built from the
data. Leaves out: plots.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

__all__ = ["TABLE_MIME", "Cell", "show_table", "table_bundle"]

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
        rows: one sequence a row, as long as ``columns``; None shows as a dash.
        digits: decimals of floating-point cells.

    Raises:
        ValueError: if a row's length differs from the number of columns.
    """
    from IPython.display import display

    display(table_bundle(title, columns, rows, digits=digits), raw=True)


def table_bundle(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, digits: int = 2
) -> dict[str, object]:
    """The MIME bundle behind :func:`show_table`.

    >>> print(table_bundle("Layers", ["layer", "zeros (%)"], [["conv1", 31.024]])["text/plain"])
    Layers
    layer  zeros (%)
    conv1      31.02
    """
    for number, row in enumerate(rows):
        if len(row) != len(columns):
            raise ValueError(f"table {title!r}, row {number}: {len(row)} cells for {len(columns)} columns.")
    rows = [[cell.item() if isinstance(cell, np.generic) else cell for cell in row] for row in rows]
    texts = [[_format(cell, digits) for cell in row] for row in rows]
    numeric = [all(not isinstance(row[index], str | bool) for row in rows) for index in range(len(columns))]
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


def _format(cell: Cell, digits: int) -> str:
    """A cell as it is shown."""
    if cell is None:
        return MISSING
    if isinstance(cell, float):
        return f"{cell:.{digits}f}"
    return str(cell)


def _as_text(title: str, columns: Sequence[str], texts: list[list[str]], numeric: list[bool]) -> str:
    """Columns padded with spaces, numbers to the right."""
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
    """A table with a caption and column headers, as screen readers want it."""
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

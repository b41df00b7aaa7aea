"""Tables: aligned text for terminals and comparisons, HTML for readers, data for reports.

:func:`show_table` displays all three in one notebook output. nbval compares the text, people read the
HTML, and the reports and docs/results.md are built from the data.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

__all__ = [
    "TABLE_MIME",
    "Cell",
    "aligned",
    "cell_text",
    "json_number",
    "markdown_table",
    "numeric_columns",
    "show_table",
    "table_bundle",
]

TABLE_MIME = "application/vnd.labkit.table+json"
MISSING = "–"
GAP = "  "
NOT_FINITE = ("nan", "inf", "-inf")  # as JSON stores them

Cell = str | int | float | bool | np.generic | None


def cell_text(cell: object, digits: int | None = None) -> str:
    """Return the text of a cell: floats with ``digits`` decimals, or six significant digits if None.

    >>> cell_text(0.1 + 0.2), cell_text(91.5, 2), cell_text(7, 2), cell_text(None)
    ('0.3', '91.50', '7', '–')
    """
    if cell is None:
        return MISSING
    if isinstance(cell, float):
        return f"{cell:.6g}" if digits is None else f"{cell:.{digits}f}"
    return str(cell)


def json_number(value: Any) -> Any:
    """Return a cell as JSON can store it: NaN and infinities become the words ``nan``, ``inf``, ``-inf``.

    >>> json_number(float("inf")), json_number(2.5)
    ('inf', 2.5)
    """
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def numeric_columns(rows: Sequence[Sequence[object]], count: int) -> list[bool]:
    """Tell for each of ``count`` columns whether it holds numbers (or None, or a stored NaN) only.

    >>> numeric_columns([["conv1", 3, None], ["conv2", 2.5, 4]], 3)
    [False, True, True]
    """
    return [
        all(not isinstance(row[index], str | bool) or row[index] in NOT_FINITE for row in rows)
        for index in range(count)
    ]


def aligned(rows: Sequence[Sequence[str]], *, right: Sequence[bool] = (), width: int | None = None) -> str:
    """Return rows of text as lines whose columns are padded with spaces.

    Args:
        rows: the cells' texts, as many in each row; headings are a row like any other.
        right: for each column whether it is aligned to the right; all to the left by default.
        width: the longest line in characters; the last column is wrapped to it. None: not wrapped.

    Raises:
        ValueError: if rows differ in length, or ``right`` has another length than they.

    >>> print(aligned([("layer", "zeros"), ("conv1", "31"), ("linear", "7")], right=(False, True)))
    layer   zeros
    conv1      31
    linear      7
    """
    if not rows:
        return ""
    right = right or [False] * len(rows[0])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            text.rjust(size) if to_right else text.ljust(size)
            for text, size, to_right in zip(row, widths, right, strict=True)
        ]
        if width is None:
            lines.append(GAP.join(cells).rstrip())
            continue
        start = "".join(cell + GAP for cell in cells[:-1])
        wrapped = textwrap.wrap(row[-1], max(1, width - len(start))) or [""]
        indents = [start, *[" " * len(start)] * (len(wrapped) - 1)]
        lines += [(indent + text).rstrip() for indent, text in zip(indents, wrapped, strict=True)]
    return "\n".join(lines)


def show_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, digits: int = 2
) -> None:
    """Display a table in the running notebook.

    Args:
        title: what the table shows; it becomes the caption.
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
    texts = [[cell_text(cell, digits) for cell in row] for row in rows]
    numeric = numeric_columns(rows, len(columns))
    data = {
        "title": title,
        "columns": list(columns),
        "rows": [[json_number(cell) for cell in row] for row in rows],
        "digits": digits,
    }
    return {
        "text/plain": f"{title}\n{aligned([list(columns), *texts], right=numeric)}",
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
    texts = [[_markdown_text(cell_text(cell, data.get("digits"))) for cell in row] for row in rows]
    rule = ["---:" if numeric else "---" for numeric in numeric_columns(rows, len(columns))]
    lines = [[_markdown_text(name) for name in columns], rule, *texts]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"**{_markdown_text(data['title'])}**\n\n{body}\n"


def _markdown_text(text: str) -> str:
    """Return a text that a Markdown table shows literally."""
    return escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def _as_html(title: str, columns: Sequence[str], texts: list[list[str]], numeric: list[bool]) -> str:
    """Return an HTML table with a caption and column headers, which screen readers announce."""
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

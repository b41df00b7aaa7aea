"""Read CSV files as spreadsheets leave them: any usual encoding, delimiter, empty rows, quoted formulas."""

from __future__ import annotations

import codecs
import csv
import io
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["FORMULA", "SpreadsheetRow", "read_rows"]

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # a cell that begins so would be computed
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class SpreadsheetRow(NamedTuple):
    """One row of a table: the number of its last line, and its cells by the heading in lower case."""

    line: int
    cells: dict[str, str]


def read_rows(path: Path, columns: Sequence[str]) -> list[SpreadsheetRow]:
    """Read the rows of a CSV file; rows without any text are skipped.

    The encoding is UTF-8, UTF-16 with a byte-order mark, or else that of Windows (cp1252). The
    delimiter is a comma, a semicolon or a tab, whichever the first line has most of; with semicolons
    numbers may have a decimal comma. Cells are stripped and composed (NFC), and the apostrophe goes
    that keeps a spreadsheet from computing a cell.

    Args:
        path: the file.
        columns: headings that must be there, in lower case; others are kept too.

    Raises:
        ValueError: if a heading is missing, or the file is not text; names the file.
        OSError: if it cannot be read.
    """
    text = _decoded(path)
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[SpreadsheetRow] = []
    try:
        headings = [_clean(cell).lower() for cell in next(reader, [])]
        for cells in reader:
            if any(cell.strip() for cell in cells):
                cleaned = [_clean(cell) for cell in cells]
                rows.append(SpreadsheetRow(reader.line_num, dict(zip(headings, cleaned, strict=False))))
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: not a CSV file ({error}).") from error
    missing = [name for name in columns if name not in headings]
    if missing:
        raise ValueError(f"{path} has no column {', '.join(missing)}; it needs {', '.join(columns)}.")
    return rows


def _decoded(path: Path) -> str:
    """The text of the file, in whichever encoding it is."""
    content = path.read_bytes()
    encodings = [name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)]
    for encoding in encodings or ["utf-8", "cp1252"]:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise ValueError(f"{path} is not a text file; save it as CSV in UTF-8.")


def _clean(cell: str) -> str:
    """A cell's text, composed and without what a spreadsheet added."""
    text = unicodedata.normalize("NFC", cell.strip())
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text

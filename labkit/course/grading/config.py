"""``grading.toml``: deadlines and penalties, marks given by hand, and the columns of an LMS.

.. code-block:: toml

    marks = "marks.csv"              # marks given by hand; the path is relative to this file

    [late]                           # for every lab
    deadline = 2026-12-01T23:59:00   # local time, or with a zone: 2026-12-01T23:59:00+01:00
    percent_per_day = 10
    max_percent = 50                 # optional
    grace_minutes = 15               # optional

    [late.02]                        # for lab 02 instead
    deadline = 2026-12-08T23:59:00
    percent_per_day = 10

    [columns]                        # heading in lms.csv = value
    "SIS Login ID" = "student"
    "Lab 2 (12345)" = "02"
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from labkit.course.grading.late_penalty import LateRule
from labkit.course.grading.spreadsheet import read_rows

__all__ = ["FILE_NAME", "GradingConfig", "read_columns", "read_config"]

FILE_NAME = "grading.toml"
KEYS = ("marks", "late", "columns")
LATE_KEYS = ("deadline", "percent_per_day", "max_percent", "grace_minutes")


@dataclass(frozen=True)
class GradingConfig:
    """How the results of a class become grades.

    Attributes:
        late_rules: at most one per lab, and at most one for all labs.
        marks: a CSV file of marks given by hand, or None.
        columns: the value of each column of ``lms.csv``, by heading; empty: no such file.
    """

    late_rules: tuple[LateRule, ...] = ()
    marks: Path | None = None
    columns: Mapping[str, str] | None = None


def read_config(path: Path) -> GradingConfig:
    """Read ``grading.toml``.

    Raises:
        ValueError: if it is not TOML, or a key or value is not one of those above; names it.
        OSError: if it cannot be read.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise ValueError(f"{path} is not valid TOML: {error}.") from error
    _require_keys(table, KEYS, path, "")
    marks = table.get("marks")
    if marks is not None and not isinstance(marks, str):
        raise ValueError(f"{path}: marks must be the path of a CSV file in quotes, got {marks!r}.")
    columns = table.get("columns")
    if columns is not None and not _is_text_table(columns):
        raise ValueError(f'{path}: [columns] must hold lines like "Lab 2" = "02", got {columns!r}.')
    return GradingConfig(
        late_rules=_late_rules(table.get("late", {}), path),
        marks=None if marks is None else path.parent / marks,
        columns=columns,
    )


def read_columns(path: Path) -> dict[str, str]:
    """Read the columns of ``lms.csv`` from a CSV file with the columns ``column`` and ``value``.

    Raises:
        ValueError: if it has other columns, or no row.
        OSError: if it cannot be read.
    """
    columns = {row.cells["column"]: row.cells["value"] for row in read_rows(path, ("column", "value"))}
    if not columns or "" in columns:
        raise ValueError(f"{path} needs at least one row, each with a column and a value.")
    return columns


def _late_rules(table: Any, path: Path) -> tuple[LateRule, ...]:
    """The rules of ``[late]`` and of its sub-tables."""
    if not isinstance(table, dict):
        raise ValueError(f"{path}: late must be a table, [late] or [late.02], got {table!r}.")
    labs = {lab: rule for lab, rule in table.items() if isinstance(rule, dict)}
    general = {key: value for key, value in table.items() if key not in labs}
    rules = [_late_rule(None, general, path, "late")] if general else []
    return (*rules, *(_late_rule(lab, rule, path, f"late.{lab}") for lab, rule in labs.items()))


def _late_rule(lab: str | None, table: Mapping[str, Any], path: Path, name: str) -> LateRule:
    """One rule."""
    _require_keys(table, LATE_KEYS, path, f" in [{name}]")
    deadline = table.get("deadline")
    if not isinstance(deadline, datetime):
        raise ValueError(
            f"{path}: deadline in [{name}] must be a time such as 2026-12-01T23:59:00, "
            f"without quotes, got {deadline!r}."
        )
    return LateRule(
        lab,
        deadline if deadline.tzinfo is None else deadline.astimezone().replace(tzinfo=None),
        _number(table.get("percent_per_day"), 100, path, f"percent_per_day in [{name}]"),
        _number(table.get("max_percent", 100), 100, path, f"max_percent in [{name}]"),
        _number(table.get("grace_minutes", 0), 1440, path, f"grace_minutes in [{name}]"),
    )


def _number(value: Any, most: float, path: Path, name: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not 0 <= value <= most:
        raise ValueError(f"{path}: {name} must be a number from 0 to {most}, got {value!r}.")
    return float(value)


def _require_keys(table: Mapping[str, Any], allowed: tuple[str, ...], path: Path, place: str) -> None:
    """Raise ValueError for a key that means nothing, since it is probably a misspelling."""
    unknown = [key for key in table if key not in allowed]
    if unknown:
        raise ValueError(f"{path}: unknown key {unknown[0]!r}{place}; known keys: {', '.join(allowed)}.")


def _is_text_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())

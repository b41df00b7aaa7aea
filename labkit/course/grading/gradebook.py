"""From results to tables: marks for written answers, grades.csv, summary.csv, an LMS's columns.

Leaves out: where results come from (:mod:`labkit.course.grading.class_run`), what lateness takes off
(:mod:`labkit.course.grading.late_penalty`).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from labkit.course.grading.job import Result
from labkit.files import write_atomically

__all__ = ["flags", "total", "with_manual", "write_tables"]

MANUAL = ("student", "lab", "question", "points")
GRADES = ("student", "lab", "question", "earned", "max", "status", "reason")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
WORTH_A_LOOK = ("error", "timeout", "limit", "not graded")


def with_manual(results: Sequence[Result], path: Path) -> list[Result]:
    """The results with the marks of a CSV file: columns student, lab, question, points, maybe reason.

    They replace those of the question, whatever it was: a written answer's, a programmed one's, or
    ``late``. A lab is named ``02`` or ``02_slug``.

    Raises:
        ValueError: names the line, if it names nobody, no lab or no question, or no number between
            0 and the maximum; nothing is merged then.
        OSError: if the file cannot be read.
    """
    given: dict[tuple[str, str, str], tuple[float, str]] = {}
    known = {(each["student"], each["lab"]): each for each in results}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in MANUAL if name not in (rows.fieldnames or [])]
        if missing:
            raise ValueError(
                f"{path.name} has no column {', '.join(missing)}; it needs {', '.join(MANUAL)}."
            )
        for row in rows:
            place = f"{path.name}, line {rows.line_num}"
            lab = next((lab for _, lab in known if row["lab"] in (lab, lab[:2])), row["lab"])
            result = known.get((row["student"], lab))
            if result is None:
                raise ValueError(f"{place}: no result of {row['student']!r} in lab {row['lab']!r}.")
            points = _points(row["points"], row["question"], result, place)
            given[row["student"], lab, row["question"]] = points, row.get("reason") or ""
    return [_merged(each, given) for each in results]


def total(result: Result) -> float:
    """The points of a result."""
    return float(round(sum(mark["earned"] for mark in result["marks"]), 2))


def flags(result: Result) -> list[str]:
    """What an instructor should look at: what was odd, and what did not end as answers do."""
    found = {mark["status"] for mark in result["marks"] if mark["status"] in WORTH_A_LOOK}
    return [*sorted(found), *result["oddities"]]


def write_tables(out: Path, results: Sequence[Result], columns: Path | None = None) -> list[Path]:
    """Write ``grades.csv``, ``summary.csv`` and, if ``columns`` is given, ``lms.csv``.

    ``columns`` is a CSV file with the columns ``column`` and ``value``: what the LMS calls it, and
    what to put there: ``student``, ``total``, ``percent``, a lab (``02``) or a question (``02.3``).

    Raises:
        ValueError: if ``columns`` asks for what there is not.
        OSError: if a file cannot be read or written.
    """
    tables = {
        "grades.csv": [GRADES, *_grades(results)],
        "summary.csv": _summary(results),
    }
    if columns is not None:
        tables["lms.csv"] = _lms(results, columns)
    for name, rows in tables.items():
        write_atomically(out / name, _csv(rows))
    return [out / name for name in tables]


def _points(text: str | None, question: str, result: Result, place: str) -> float:
    """The points of a line of the manual marks."""
    mark = next((mark for mark in result["marks"] if mark["question"] == question), None)
    if mark is None and question != "late":
        names = ", ".join(mark["question"] for mark in result["marks"])
        raise ValueError(f"{place}: no question {question!r} in {result['lab']}; there are {names}.")
    try:
        points = float(text or "")
    except ValueError:
        points = math.nan
    low, high = (0.0, float(mark["max"])) if mark and question != "late" else (-math.inf, 0.0)
    if not low <= points <= high:
        raise ValueError(f"{place}: points {text!r} are no number from {low:g} to {high:g}.")
    return points


def _merged(result: Result, given: Mapping[tuple[str, str, str], tuple[float, str]]) -> Result:
    """A result with the manual marks for it."""
    marks = []
    about = (result["student"], result["lab"])
    lines = [*result["marks"]]
    if (*about, "late") in given and all(mark["question"] != "late" for mark in lines):
        lines.append({"question": "late", "max": 0})
    for mark in lines:
        found = given.get((*about, mark["question"]))
        own = {"earned": found[0], "status": "marked", "reason": found[1]} if found else {}
        marks.append({**mark, **own})
    return {**result, "marks": marks}


def _grades(results: Sequence[Result]) -> Iterable[list[object]]:
    """A row a question; a reason is one line."""
    for result in results:
        for mark in result["marks"]:
            reason = " ".join(mark["reason"].split())
            values = [mark["question"], mark["earned"], mark["max"], mark["status"], reason]
            yield [result["student"], result["lab"], *values]


def _summary(results: Sequence[Result]) -> list[Sequence[object]]:
    """A row a student: points by lab, all points, per cent, answers still to mark, what was odd."""
    labs = sorted({result["lab"] for result in results})
    rows: list[Sequence[object]] = [("student", *labs, "earned", "max", "percent", "to mark", "flags")]
    for student, own in _by_student(results).items():
        points = [total(own[lab]) if lab in own else 0 for lab in labs]
        open_marks = sum(mark["status"] == "to mark" for each in own.values() for mark in each["marks"])
        odd = "; ".join(f"{lab[:2]}: {flag}" for lab in sorted(own) for flag in flags(own[lab]))
        earned, most = round(sum(points), 2), _most(results)
        rows.append([student, *points, earned, most, _percent(earned, most), open_marks, odd])
    return rows


def _lms(results: Sequence[Result], columns: Path) -> list[Sequence[object]]:
    """The columns that an LMS wants."""
    with columns.open(encoding="utf-8-sig", newline="") as file:
        wanted = [(row.get("column") or "", row.get("value") or "") for row in csv.DictReader(file)]
    questions = {mark["question"] for result in results for mark in result["marks"]}
    known = {"student", "total", "percent", *(result["lab"][:2] for result in results), *questions}
    strange = [value for _, value in wanted if value not in known]
    if strange or not wanted:
        advice = f"it needs the columns column and value; values: {', '.join(sorted(known))}"
        raise ValueError(f"{columns.name} asks for {', '.join(strange) or 'nothing'}; {advice}.")
    rows: list[Sequence[object]] = [[name for name, _ in wanted]]
    for student, own in _by_student(results).items():
        earned = round(sum(map(total, own.values())), 2)
        values: dict[str, object] = {"student": student, "total": earned}
        values["percent"] = _percent(earned, _most(results))
        for lab, result in own.items():
            values[lab[:2]] = total(result)
            values |= {mark["question"]: mark["earned"] for mark in result["marks"]}
        rows.append([values.get(value, 0) for _, value in wanted])
    return rows


def _by_student(results: Sequence[Result]) -> dict[str, dict[str, Result]]:
    """The results by student, then lab."""
    found: dict[str, dict[str, Result]] = {}
    for result in sorted(results, key=lambda each: (each["student"], each["lab"])):
        found.setdefault(result["student"], {})[result["lab"]] = result
    return found


def _most(results: Sequence[Result]) -> float:
    """The points there are in all labs graded."""
    labs = {result["lab"]: result for result in results}
    return sum(mark["max"] for result in labs.values() for mark in result["marks"])


def _percent(earned: float, most: float) -> float:
    return round(100 * earned / most, 1) if most else 0.0


def _csv(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as a file; a text that a spreadsheet would take for a formula gets an apostrophe."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_safe(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _safe(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

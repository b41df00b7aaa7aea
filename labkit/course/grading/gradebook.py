"""Turn results into tables: marks given by hand, ``grades.csv``, ``summary.csv`` and an LMS's columns."""

from __future__ import annotations

import csv
import io
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from labkit.course.grading.results import GradedLab, LatePenalty, Mark
from labkit.course.grading.spreadsheet import FORMULA, read_rows
from labkit.files import write_atomically

__all__ = [
    "apply_manual_marks",
    "by_student",
    "csv_bytes",
    "find_mark",
    "max_points",
    "row_name",
    "write_tables",
]

MANUAL_COLUMNS = ("student", "lab", "question", "points")
GRADES_COLUMNS = ("student", "lab", "question", "earned", "max", "status", "reason")
PENALTY = "late"  # in the column of questions: the row of a lab's late penalty, which is not a question


def apply_manual_marks(results: Sequence[GradedLab], path: Path) -> list[GradedLab]:
    """Merge the marks of a CSV file with the columns student, lab, question, points and maybe reason.

    A mark replaces that of any question, written or programmed. A row with ``late`` in place of a question
    sets the late penalty of the lab (0 points or less). A lab is named ``02``, ``02_slug`` or, as a spreadsheet
    leaves it, ``2``; a question ``02.7`` or ``2.7``. A row without points is a mark not given yet.

    Raises:
        ValueError: if rows name an unknown student, lab or question, points outside the question's
            range, or the same question twice; lists every such row, and nothing is merged.
        OSError: if the file cannot be read.
    """
    changed = {(result.student, result.lab): result for result in results}
    lines: dict[tuple[str, str, str], int] = {}
    problems = []
    for row in read_rows(path, MANUAL_COLUMNS):
        if not row.cells.get("points"):
            continue
        try:
            result, mark = find_mark(changed.values(), row.cells)
            name = row_name(mark)
            earlier = lines.setdefault((result.student, result.lab, name), row.line)
            if earlier != row.line:
                raise ValueError(f"{name} of {result.student!r} was already marked in line {earlier}")
            changed[result.student, result.lab] = _with_manual_mark(
                result, mark, row.cells["points"], row.cells.get("reason", "")
            )
        except ValueError as error:
            problems.append(f"{path.name}, line {row.line}: {error}.")
    if problems:
        raise ValueError("\n  ".join([f"no mark of {path} was merged:", *problems]))
    return list(changed.values())


def write_tables(
    out: Path, results: Sequence[GradedLab], columns: Mapping[str, str] | None = None
) -> list[Path]:
    """Write ``grades.csv``, ``summary.csv`` and, if ``columns`` is given, ``lms.csv``.

    Args:
        out: the folder.
        results: with manual marks and late penalties.
        columns: the value of each column of ``lms.csv`` by its heading: ``student``, ``total``,
            ``percent``, a lab (``02``) or a question (``02.3``).

    Raises:
        ValueError: if ``columns`` asks for an unknown value; nothing is written.
        OSError: if a file cannot be written.
    """
    tables: dict[str, Iterable[Sequence[object]]] = {
        "grades.csv": [GRADES_COLUMNS, *_grades(results)],
        "summary.csv": _summary(results),
    }
    if columns is not None:
        tables["lms.csv"] = _lms(results, columns)
    for name, rows in tables.items():
        write_atomically(out / name, csv_bytes(rows))
    return [out / name for name in tables]


def by_student(results: Sequence[GradedLab]) -> dict[str, dict[str, GradedLab]]:
    """The results by student, then by lab, both sorted."""
    grouped: dict[str, dict[str, GradedLab]] = {}
    for result in sorted(results, key=lambda result: (result.student, result.lab)):
        grouped.setdefault(result.student, {})[result.lab] = result
    return grouped


def max_points(results: Sequence[GradedLab]) -> float:
    """The points of all labs that were graded."""
    return sum({result.lab: result.max for result in results}.values())


def row_name(mark: Mark | None) -> str:
    """What a row of marks has in the column of questions; None stands for the lab's late penalty."""
    return PENALTY if mark is None else mark.question


def find_mark(results: Iterable[GradedLab], cells: Mapping[str, str]) -> tuple[GradedLab, Mark | None]:
    """Return the result and the mark that a row means, as a spreadsheet may have left the row.

    The mark is None if the row is about the lab's late penalty.

    Raises:
        ValueError: if there is none of that student, lab and question.
    """
    result = _find_result(results, cells["student"], cells["lab"])
    return result, _find_mark(result, cells["question"])


def _find_result(results: Iterable[GradedLab], student: str, lab: str) -> GradedLab:
    """The result that a row means."""
    for result in results:
        same_student = unicodedata.normalize("NFC", result.student) == student
        if same_student and _plain_number(lab) in map(_plain_number, (result.lab, result.lab.number)):
            return result
    raise ValueError(f"no result of {student!r} in lab {lab!r}")


def _find_mark(result: GradedLab, text: str) -> Mark | None:
    """The mark that a row means; None for the late penalty."""
    if text == PENALTY:
        return None
    marks = [mark for mark in result.marks if mark.question == text]
    if not marks:
        marks = [mark for mark in result.marks if _plain_number(mark.question) == _plain_number(text)]
    if len(marks) != 1:
        questions = ", ".join(mark.question for mark in result.marks)
        raise ValueError(f"no question {text!r} in {result.lab}; there are {questions}")
    return marks[0]


def _plain_number(text: str) -> str:
    """A name without what a spreadsheet does to numbers: ``02`` and ``2.0`` are ``2``, ``02.7`` is ``2.7``.

    The question ``02.10`` becomes ``2.1``, so where that is ambiguous the row is refused.
    """
    number, blank, rest = text.partition(" ")
    try:
        return f"{float(number):g}{blank}{rest}" if "_" not in number else text
    except ValueError:
        return text


def _with_manual_mark(result: GradedLab, mark: Mark | None, points: str, reason: str) -> GradedLab:
    """A result with one mark replaced, or with the late penalty if ``mark`` is None."""
    if mark is None:
        return replace(result, late=LatePenalty(-_points(points, -math.inf, 0), reason))
    manual = replace(mark, earned=_points(points, 0, mark.max), status="marked", reason=reason)
    return replace(result, marks=tuple(manual if other is mark else other for other in result.marks))


def _points(text: str, low: float, high: float) -> float:
    """The points of a row of the manual marks; the decimal sign is a point or a comma."""
    try:
        points = float(text.replace(",", "."))
    except ValueError:
        points = math.nan
    if not low <= points <= high or math.isinf(points):
        allowed = f"from {low:g} to {high:g}" if math.isfinite(low) else f"of at most {high:g}"
        raise ValueError(f"points must be a number {allowed}, got {text!r}")
    return points


def _grades(results: Sequence[GradedLab]) -> Iterable[list[object]]:
    """One row per question, and one for a late penalty; a reason is one line."""
    for result in results:
        for mark in result.marks:
            yield [result.student, result.lab, *_mark_row(mark)]
        if result.late is not None:
            row = [PENALTY, -result.late.points, 0, PENALTY, result.late.reason]
            yield [result.student, result.lab, *row]


def _mark_row(mark: Mark) -> list[object]:
    return [mark.question, mark.earned, mark.max, mark.status, " ".join(mark.reason.split())]


def _summary(results: Sequence[GradedLab]) -> list[Sequence[object]]:
    """One row per student: points by lab, total, per cent, answers still to mark, warnings."""
    labs = sorted({result.lab for result in results})
    header = ("student", *labs, "earned", "max", "percent", "to mark", "warnings")
    rows: list[Sequence[object]] = [header]
    most = max_points(results)
    for student, graded in by_student(results).items():
        points = [graded[lab].earned if lab in graded else 0 for lab in labs]
        to_mark = sum(result.to_mark for result in graded.values())
        warnings = [
            f"{result.lab.number}: {warning}" for result in graded.values() for warning in result.attention
        ]
        earned = round(sum(points), 2)
        rows.append([student, *points, earned, most, _percent(earned, most), to_mark, "; ".join(warnings)])
    return rows


def _lms(results: Sequence[GradedLab], columns: Mapping[str, str]) -> list[Sequence[object]]:
    """The table that an LMS imports."""
    questions = {mark.question for result in results for mark in result.marks}
    available = {"student", "total", "percent", *(result.lab.number for result in results), *questions}
    unknown = [value for value in columns.values() if value not in available]
    if unknown or not columns:
        raise ValueError(
            f"the LMS columns ask for {', '.join(unknown) or 'nothing'}; "
            f"known values: {', '.join(sorted(available))}."
        )
    rows: list[Sequence[object]] = [list(columns)]
    for student, graded in by_student(results).items():
        earned = round(sum(result.earned for result in graded.values()), 2)
        values: dict[str, object] = {"student": student, "total": earned}
        values["percent"] = _percent(earned, max_points(results))
        for result in graded.values():
            values[result.lab.number] = result.earned
            values |= {mark.question: mark.earned for mark in result.marks}
        rows.append([values.get(value, 0) for value in columns.values()])
    return rows


def _percent(earned: float, most: float) -> float:
    return round(100 * earned / most, 1) if most else 0.0


def csv_bytes(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as a file; text that a spreadsheet would take for a formula gets an apostrophe."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_without_formula(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _without_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

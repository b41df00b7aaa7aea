"""Pack a student's work into one zip, after checking that it can be graded.

:mod:`labkit.course.submission.read` reads such a zip.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from labkit.course.notebook import structure
from labkit.course.notebook.lab_id import LabId
from labkit.course.notebook.paths import lab_paths
from labkit.course.notebook.structure import cell_info, syntax_tree
from labkit.course.release.folder import MANIFEST, PRISTINE
from labkit.course.release.strip import is_started
from labkit.course.submission.answers import collect_answers
from labkit.course.submission.read import MAX_NOTEBOOK_BYTES, read_submission
from labkit.environment import environment_stamp
from labkit.files import write_atomically, zip_bytes

__all__ = ["STAMP", "Report", "examine", "pack"]

STAMP = "labkit.json"


class Report(NamedTuple):
    """Why work cannot be graded, what is unusual about it, and which exercises are not answered."""

    failures: list[str]
    warnings: list[str]
    unanswered: list[str]


def pack(home: Path, out: Path, *, force: bool = False) -> Report:
    """Write the zip ``out``: notebooks, checkpoint manifests (no weights) and the environment stamp.

    Args:
        home: the student's folder.
        out: replaced if it exists.
        force: pack even if something cannot be graded.

    Returns:
        The report, with what a grader would not read.

    Raises:
        ValueError: if there is no notebook, or something cannot be graded; nothing is written.
        OSError: if ``out`` cannot be written; nothing is left behind.
    """
    report = examine(home)
    if report.failures and not force:
        advice = "fix this, or submit the rest with --force"
        raise ValueError("\n  ".join([f"this cannot be graded; {advice}:", *report.failures]))
    files = {f"labs/{path.name}": path.read_bytes() for path in lab_paths(home)}
    files |= {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in sorted((home / "checkpoints").glob("*/manifest.json"))
    }
    facts = {"release": _release(home), "environment": _stamp(), "unanswered": report.unanswered}
    files[STAMP] = f"{json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True)}\n".encode()
    write_atomically(out, zip_bytes(files))
    read = read_submission(out)  # as a grader will
    missing = [path.name for path in lab_paths(home) if path.name not in read.notebooks]
    return report._replace(
        warnings=[*report.warnings, *(f"{name}: a grader will not read it" for name in missing)]
    )


def examine(home: Path) -> Report:
    """Look at every notebook of the folder ``home``, and compare it with the release it came from.

    Raises:
        ValueError: if there is no notebook.
    """
    report = Report([], [], [])
    labs = lab_paths(home)
    if not labs:
        raise ValueError(f"there are no labs in {home / 'labs'}; run this in the folder of the release.")
    for path in labs:
        if path.stat().st_size > MAX_NOTEBOOK_BYTES:
            limit = MAX_NOTEBOOK_BYTES // 10**6
            report.failures.append(f"{path.name}: over {limit} MB; clear its outputs and save it")
            continue
        _examine_lab(home, path, report)
    released = {path.name for path in (home / PRISTINE).glob("*.ipynb")}
    absent = sorted(released - {path.name for path in labs})
    report.failures.extend(
        f"{name} is missing; copy it from {PRISTINE}, or pack without it by --force" for name in absent
    )
    return report


def _examine_lab(home: Path, path: Path, report: Report) -> None:
    """Add what a grader would find in one notebook; it is read as the grader reads it."""
    pristine = home / PRISTINE / path.name
    try:
        lab = structure.read_notebook(pristine if pristine.is_file() else path, repair=True)
    except ValueError as error:  # names the file and what to do
        report.failures.append(str(error))
        return
    answers = collect_answers(path.read_bytes(), lab)
    report.warnings.extend(f"{path.stem}: {warning}" for warning in answers.warnings)
    for cell in lab.cells:
        role = cell_info(cell).get("role")
        if role not in ("todo", "answer"):
            continue
        exercise = str(cell_info(cell).get("id", LabId(path.stem).number))
        source = answers.sources.get(cell.id)
        if source is None:
            advice = f"copy it from {PRISTINE}/{path.name}" if pristine.is_file() else "restore it"
            report.failures.append(
                f"{path.stem}: cell {cell.id} of exercise {exercise} is missing; {advice}"
            )
        elif not is_started(cell, source):
            report.unanswered.append(exercise if role == "todo" else f"{exercise} (written answer)")
        elif role == "todo" and syntax_tree(source) is None:
            report.warnings.append(f"{path.stem}: the TODO cell of {exercise} is not valid Python")


def _release(home: Path) -> str | None:
    """The release that the folder came from."""
    try:
        return str(json.loads((home / MANIFEST).read_text(encoding="utf-8"))["release"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _stamp() -> dict[str, str]:
    """The environment, or why it cannot be told: a broken one must not keep anyone from submitting."""
    try:
        return environment_stamp()
    except Exception as error:  # torch fails to load in many ways
        return {"error": f"{type(error).__name__}: {error}"}

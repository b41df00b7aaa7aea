"""Pack a student's work into one zip, after checking that it can be graded.

:mod:`labkit.course.submission.read` reads such a zip.
"""

from __future__ import annotations

import ast
import json
import warnings
from pathlib import Path
from typing import NamedTuple

from IPython.core.inputtransformer2 import TransformerManager

from labkit.course.notebook import structure
from labkit.course.notebook.lab_id import LabId
from labkit.course.notebook.paths import lab_paths
from labkit.course.notebook.structure import cell_info, cell_role
from labkit.course.release.folder import MANIFEST, PRISTINE
from labkit.course.release.strip import is_started
from labkit.course.submission.answers import collect_answers
from labkit.course.submission.as_graded import pristine
from labkit.course.submission.read import MAX_NOTEBOOK_BYTES, read_submission
from labkit.environment import environment_stamp
from labkit.files import write_atomically, zip_bytes
from labkit.manifest import manifest_paths

__all__ = ["STAMP", "Report", "examine", "pack"]

STAMP = "labkit.json"


class Report(NamedTuple):
    """What a student should know about the work that is packed.

    Attributes:
        failures: why something cannot be graded.
        warnings: what is unusual about the notebooks.
        unanswered: the exercises that are not answered.
        invalid: the exercises whose answer is not valid Python, and why, by exercise.
        answered: the notebooks in which the code of an exercise is answered.
    """

    failures: list[str]
    warnings: list[str]
    unanswered: list[str]
    invalid: dict[str, str]
    answered: list[Path]


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
        for path in manifest_paths(home / "checkpoints")
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
    report = Report([], [], [], {}, [])
    labs = lab_paths(home)
    if not labs:
        raise ValueError(f"there are no labs in {home / 'labs'}; run this in the folder of the release.")
    for path in labs:
        if path.stat().st_size > MAX_NOTEBOOK_BYTES:
            limit = MAX_NOTEBOOK_BYTES // 10**6
            report.failures.append(f"{path.name}: over {limit} MB; clear its outputs and save it")
            continue
        _examine_lab(path, report)
    released = {path.name for path in (home / PRISTINE).glob("*.ipynb")}
    absent = sorted(released - {path.name for path in labs})
    report.failures.extend(
        f"{name} is missing; copy it from {PRISTINE}, or pack without it by --force" for name in absent
    )
    return report


def _examine_lab(path: Path, report: Report) -> None:
    """Add what a grader would find in one notebook; it is read as the grader reads it."""
    original = pristine(path)
    try:
        lab = structure.read_notebook(original if original.is_file() else path, repair=True)
    except ValueError as error:  # names the file and what to do
        report.failures.append(str(error))
        return
    answers = collect_answers(path.read_bytes(), lab)
    report.warnings.extend(f"{path.stem}: {warning}" for warning in answers.warnings)
    for cell in lab.cells:
        role = cell_role(cell)
        if role not in ("todo", "answer"):
            continue
        exercise = cell_info(cell).exercise or LabId(path.stem).number
        source = answers.sources.get(cell.id)
        if source is None:
            advice = f"copy it from {PRISTINE}/{path.name}" if original.is_file() else "restore it"
            report.failures.append(
                f"{path.stem}: cell {cell.id} of exercise {exercise} is missing; {advice}"
            )
        elif not is_started(cell, source):
            report.unanswered.append(exercise if role == "todo" else f"{exercise} (written answer)")
        elif role == "todo":
            if path not in report.answered:
                report.answered.append(path)
            problem = _syntax_problem(source)
            if problem is not None:
                report.invalid[exercise] = problem


def _syntax_problem(source: str) -> str | None:
    """Return why a cell is not valid Python for Jupyter, which allows magics and ``await``; None if it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an escape that Python does not know
            code = TransformerManager().transform_cell(source)
            compile(code, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return f"{error.msg} (line {error.lineno})"
    except (ValueError, RecursionError, MemoryError):  # a zero byte, or too many brackets
        return "Python cannot read it"
    return None


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

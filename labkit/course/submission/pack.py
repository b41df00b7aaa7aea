"""Pack a student's work into one zip, after checking that it can be graded.

:mod:`labkit.course.submission.read` reads such a zip.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from labkit.course.notebook import structure
from labkit.course.notebook.lab_id import LabId
from labkit.course.notebook.paths import lab_paths
from labkit.course.notebook.structure import cell_info
from labkit.course.release.folder import MANIFEST, PRISTINE
from labkit.course.release.strip import is_started
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
        try:
            notebook = structure.read_notebook(path)
        except ValueError as error:  # names the file and what to do
            report.failures.append(str(error))
            continue
        pristine = home / PRISTINE / path.name
        if pristine.is_file():
            _compare(path.stem, notebook, structure.read_notebook(pristine), report)
        _list_unanswered(LabId(path.stem).number, notebook, report)
    released = {path.name for path in (home / PRISTINE).glob("*.ipynb")}
    absent = sorted(released - {path.name for path in labs})
    report.failures.extend(
        f"{name} is missing; copy it from {PRISTINE}, or pack without it by --force" for name in absent
    )
    return report


def _compare(name: str, notebook: NotebookNode, pristine: NotebookNode, report: Report) -> None:
    """List the graded cells that are missing, retyped, moved or edited."""
    cells = {cell.id: cell for cell in notebook.cells}
    for cell in pristine.cells:
        role, current = cell_info(cell).get("role"), cells.get(cell.id)
        if role in ("todo", "answer") and (current is None or current.cell_type != cell.cell_type):
            what = "is missing" if current is None else f"was turned into a {current.cell_type} cell"
            advice = f"undo that, or copy the cell from {PRISTINE}/{name}.ipynb"
            report.failures.append(
                f"{name}: cell {cell.id} of exercise {cell_info(cell)['id']} {what}; {advice}"
            )
        elif role in ("setup", "check") and (
            current is None or current.source.strip() != cell.source.strip()
        ):
            what = "is missing" if current is None else "was edited"
            report.warnings.append(f"{name}: cell {cell.id} {what}; the original is used for grading")
    order = [cell.id for cell in pristine.cells if cell_info(cell).get("role") in ("todo", "answer")]
    known = [cell.id for cell in notebook.cells if cell.id in order]
    if known != [cell_id for cell_id in order if cell_id in known]:
        report.warnings.append(f"{name}: the exercises are in another order than in the release")


def _list_unanswered(lab: str, notebook: NotebookNode, report: Report) -> None:
    """List the exercises that are not started."""
    for cell in notebook.cells:
        if cell_info(cell).get("role") in ("todo", "answer") and not is_started(cell):
            kind = "" if cell_info(cell)["role"] == "todo" else " (written answer)"
            report.unanswered.append(f"{cell_info(cell).get('id', lab)}{kind}")


def _release(home: Path) -> str | None:
    """The release that the folder came from."""
    try:
        return str(json.loads((home / MANIFEST).read_text(encoding="utf-8"))["release"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _stamp() -> dict[str, str]:
    """The environment, or why it cannot be told: a broken one must not keep anyone from submitting."""
    try:
        return environment_stamp()
    except Exception as error:  # torch fails to load in many ways
        return {"error": f"{type(error).__name__}: {error}"}

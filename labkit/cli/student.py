"""Subcommands for students: check, reset, pack, doctor."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import settings
from labkit.cli.common import add_subcommand
from labkit.course.notebook.paths import find_labs

if TYPE_CHECKING:
    from labkit.course.submission.pack import Report

__all__ = ["add_subcommands"]


def add_subcommands(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommands of this module."""
    check = add_subcommand(subcommands, "check", _check, "run the visible checks of labs")
    check.add_argument("labs", nargs="*", metavar="LAB", help="01, 01_slug or a path; default: all")
    check.add_argument("--limit", type=float, metavar="SECONDS", help="time limit per cell; default: 120")

    reset = add_subcommand(
        subcommands, "reset", _reset, "put an exercise or a lab back as it was released, with a backup"
    )
    reset.add_argument("name", metavar="NAME", help="an exercise such as 02.3, or a lab: 02, 02_slug")
    reset.add_argument("--yes", action="store_true", help="a whole lab: all its answers")

    pack = add_subcommand(subcommands, "pack", _pack, "collect your work in one zip to submit")
    pack.add_argument("--out", type=Path, metavar="FILE", help="default: submission.zip")
    pack.add_argument("--force", action="store_true", help="even if something cannot be graded")
    pack.add_argument("--quick", action="store_true", help="do not run the visible checks afterwards")

    add_subcommand(
        subcommands, "doctor", _doctor, "check versions, data, disk, kernel …, and say how to fix them"
    )


def _check(arguments: argparse.Namespace) -> int:
    """Print one table per lab; of several labs, also how far they are together."""
    from labkit.course.self_check import CELL_SECONDS, CheckRow, progress, run_checks, table

    limit = CELL_SECONDS if arguments.limit is None else arguments.limit
    if not limit > 0:
        raise ValueError(f"--limit must be more than 0 seconds, got {limit:g}.")
    labs = find_labs(arguments.labs)
    rows: list[CheckRow] = []
    failed = False
    for path in labs:
        try:
            checked = run_checks(path, limit_s=limit)
        except (ValueError, RuntimeError) as error:
            if len(labs) == 1:
                raise
            print(f"labkit: {error}", file=sys.stderr)  # the other labs can be checked
            failed = True
            continue
        print(f"{path.stem}\n{table(checked)}\n", flush=True)
        rows += checked
    if len(labs) > 1:
        print(f"{len(labs)} labs: {progress(rows)}")
    return 2 if failed else 0


def _reset(arguments: argparse.Namespace) -> int:
    """Put an exercise or a lab back; a lab only if --yes is given."""
    from labkit.course.notebook.lab_id import LabId
    from labkit.course.release.reset import answered, released_lab, reset_exercise, reset_lab

    home, name = settings.home(), arguments.name
    exercise = re.fullmatch(r"(\d+)\.(\d+)", name)
    lab = released_lab(home, exercise[1] if exercise else name)
    if exercise:
        done = reset_exercise(home, lab, f"{exercise[1].zfill(2)}.{exercise[2]}")
    elif not arguments.yes and lab.is_file():
        answers = ", ".join(answered(lab)) or "none"
        raise ValueError(
            f"this would put the whole of {lab.name} back (answers in it: {answers}); "
            f"add --yes, or reset one exercise, such as {LabId(lab.stem).number}.1."
        )
    else:
        done = reset_lab(home, lab)
    if done.backup is None:
        print(f"nothing to do: {name} is as it was released")
        return 0
    print(f"{name} is as it was released in {done.notebook}; what you had is in {done.backup}")
    print("If the notebook is open in JupyterLab, choose File, Reload Notebook from Disk.")
    return 0


def _pack(arguments: argparse.Namespace) -> int:
    """Write the zip, and print what it lacks."""
    from labkit.course.submission.pack import pack

    home = settings.home()
    out = arguments.out or home / "submission.zip"
    report = pack(home, out, force=arguments.force)
    for kind, problems in (("cannot be graded", report.failures), ("warning", report.warnings)):
        for problem in problems:
            print(f"{kind}: {problem}")
    if report.unanswered:
        print(f"not answered yet: {', '.join(report.unanswered)}")
    for exercise, problem in report.invalid.items():
        print(f"{exercise} is not valid Python: {problem}")
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB; submit this one file.", flush=True)
    if report.answered and not arguments.quick:
        _print_failing_checks(report)
    return 0


def _print_failing_checks(report: Report) -> None:
    """Print one line for every answered exercise whose visible check fails."""
    from labkit.course.self_check import failing, run_checks

    print(
        "The file is written. Now the visible checks of what you answered; Ctrl-C skips them.", flush=True
    )
    passed = True
    for path in report.answered:
        try:
            rows = failing(run_checks(path))
        except (ValueError, RuntimeError) as error:
            print(f"{path.stem}: not checked: {error}", flush=True)
            passed = False
            continue
        for row in rows:
            if row.exercise not in report.invalid:
                print(f"{row.exercise} fails its visible check: {row.verdict}", flush=True)
                passed = False
    if passed and not report.invalid:
        print("All of them pass.")


def _doctor(arguments: argparse.Namespace) -> int:  # noqa: ARG001
    """Print every finding; return 1 if something that the labs need fails."""
    from labkit.course.doctor import examine

    failed = False
    for finding in examine():
        print(finding, flush=True)
        failed = failed or finding.state == "fail"
    return int(failed)

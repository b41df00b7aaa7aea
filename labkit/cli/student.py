"""Subcommands for students: check, pack, doctor."""

from __future__ import annotations

import argparse
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
    check.add_argument("labs", nargs="+", metavar="LAB", help="01, 01_slug or a path")
    check.add_argument("--limit", type=float, metavar="SECONDS", help="time limit per cell; default: 120")

    pack = add_subcommand(subcommands, "pack", _pack, "collect your work in one zip to submit")
    pack.add_argument("--out", type=Path, metavar="FILE", help="default: submission.zip")
    pack.add_argument("--force", action="store_true", help="even if something cannot be graded")
    pack.add_argument("--quick", action="store_true", help="do not run the visible checks afterwards")

    add_subcommand(
        subcommands, "doctor", _doctor, "check versions, data, disk, kernel …, and say how to fix them"
    )


def _check(arguments: argparse.Namespace) -> int:
    """Print one table per lab."""
    from labkit.course.self_check import CELL_SECONDS, run_checks, table

    limit = CELL_SECONDS if arguments.limit is None else arguments.limit
    if not limit > 0:
        raise ValueError(f"--limit must be more than 0 seconds, got {limit:g}.")
    for path in find_labs(arguments.labs):
        print(f"{path.stem}\n{table(run_checks(path, limit_s=limit))}")
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

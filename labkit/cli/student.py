"""Subcommands for students: check, pack, doctor."""

from __future__ import annotations

import argparse
from pathlib import Path

from labkit import settings
from labkit.cli.common import add_subcommand
from labkit.course.notebook.paths import find_labs

__all__ = ["add_subcommands"]


def add_subcommands(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommands of this module."""
    check = add_subcommand(subcommands, "check", _check, "run the visible checks of labs")
    check.add_argument("labs", nargs="+", metavar="LAB", help="01, 01_slug or a path")
    check.add_argument("--limit", type=float, metavar="SECONDS", help="time limit per cell; default: 120")

    pack = add_subcommand(subcommands, "pack", _pack, "collect your work in one zip to submit")
    pack.add_argument("--out", type=Path, metavar="FILE", help="default: submission.zip")
    pack.add_argument("--force", action="store_true", help="even if something cannot be graded")

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
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB; submit this one file.")
    return 0


def _doctor(arguments: argparse.Namespace) -> int:  # noqa: ARG001
    """Print every finding; return 1 if something that the labs need fails."""
    from labkit.course.doctor import examine

    failed = False
    for finding in examine():
        print(finding, flush=True)
        failed = failed or finding.state == "fail"
    return int(failed)

"""Subcommands for instructors: release."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labkit import settings
from labkit.cli.common import add_subcommand
from labkit.course.notebook.paths import find_labs

__all__ = ["add_subcommands"]


def add_subcommands(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommands of this module."""
    release = add_subcommand(
        subcommands,
        "release",
        _release,
        "write the folder that students get, after proving that it can be graded",
    )
    release.add_argument("labs", nargs="*", metavar="LAB", help="01, 01_slug or a path; default: all")
    release.add_argument("--out", type=Path, metavar="FOLDER", help="default: dist/student")
    release.add_argument("--zip", action="store_true", help="also write it as one zip")
    release.add_argument("--force", action="store_true", help="replace an older release")
    release.add_argument("--quick", action="store_true", help="do not execute the labs (proves less)")
    release.add_argument("--update", type=Path, metavar="FOLDER", help="merge into a folder in use instead")


def _release(arguments: argparse.Namespace) -> int:
    """Write a release, or merge one into a student's folder."""
    from labkit.course.grading.verification import failures
    from labkit.course.release import folder, update

    home = settings.home()
    verify = None if arguments.quick else failures
    if arguments.update is not None:
        if folder.read_hashes(home) is not None:
            files = folder.read_release(home)
        else:
            _warn_if(arguments.quick)
            files = folder.build_release(home, find_labs(arguments.labs), verify=verify)
        print("\n".join(update.update(arguments.update, files)))
        return 0
    written = folder.write_release(
        home,
        arguments.out or home / "dist" / "student",
        find_labs(arguments.labs),
        verify=verify,
        force=arguments.force,
        zipped=arguments.zip,
    )
    _warn_if(arguments.quick)
    print("\n".join(written))
    return 0


def _warn_if(quick: bool) -> None:
    """Warn about what --quick leaves unproven."""
    if quick:
        print(
            "labkit: NOT PROVEN (--quick): the labs were not executed. Whether solutions score 100 %, the "
            "untouched release 0 %, and every TODO raises is unknown; release without --quick to know.",
            file=sys.stderr,
        )

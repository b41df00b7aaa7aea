"""Subcommands for instructors: release."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labkit import settings
from labkit.cli.common import add_subcommand, find_labs

__all__ = ["add_subcommands"]


def add_subcommands(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommands of this module."""
    release = add_subcommand(
        subcommands, "release", _release, "write the folder that students get, and prove it"
    )
    release.add_argument("labs", nargs="*", metavar="LAB", help="01, 01_slug or a path; default: all")
    release.add_argument("--out", type=Path, metavar="FOLDER", help="default: dist/student")
    release.add_argument("--zip", action="store_true", help="also write it as one zip")
    release.add_argument("--force", action="store_true", help="replace an older release")
    release.add_argument("--quick", action="store_true", help="do not execute the labs (proves less)")
    release.add_argument("--update", type=Path, metavar="FOLDER", help="merge into a folder in use instead")


def _release(arguments: argparse.Namespace) -> int:
    """Write a release, or merge one into a student's folder."""
    from labkit.course.release import folder, update

    home = settings.home()
    if arguments.update is not None:
        is_release = folder.read_manifest(home) is not None
        if not is_release:
            _warn_if(arguments.quick)
        files = (
            folder.released_files(home)
            if is_release
            else folder.contents(home, find_labs(arguments.labs), quick=arguments.quick)
        )
        print("\n".join(update.update(arguments.update, files)))
        return 0
    out = arguments.out or home / "dist" / "student"
    done = folder.write_release(
        home,
        out,
        find_labs(arguments.labs),
        quick=arguments.quick,
        force=arguments.force,
        zipped=arguments.zip,
    )
    _warn_if(arguments.quick)
    print("\n".join(done))
    return 0


def _warn_if(quick: bool) -> None:
    """Say loudly what --quick leaves unproven."""
    if quick:
        print(
            "labkit: NOT PROVEN (--quick): the labs were not executed. Whether solutions score 100 %, the "
            "untouched release 0 %, and every TODO raises is unknown; release without --quick to know.",
            file=sys.stderr,
        )

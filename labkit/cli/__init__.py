"""The verbs of the command line. Parsing and messages only: what a verb does stands in the package.

Exit status: 0 done, 1 a notebook failed or is not complete, 2 wrong input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

from labkit import __version__
from labkit.cli import grading, instructor, labs, networks, student

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; ``argv`` without the program's name, by default what the shell gave.

    Returns:
        The exit status.
    """
    _never_fail_to_print()
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.verb(arguments))
    except (ValueError, RuntimeError, OSError, FloatingPointError) as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _never_fail_to_print() -> None:
    """Let what a stream cannot show appear as ``\\u2265``: files and pipes on Windows are not UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    """The verbs and their options."""
    parser = argparse.ArgumentParser(
        prog="labkit",
        description="Run, record, check, release and render the labs; make and pack networks.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    for group in (labs, networks, student, instructor, grading):
        group.add_verbs(verbs)
    return parser

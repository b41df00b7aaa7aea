"""The command line. Its modules parse arguments and print; the package does the work.

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
    """Run one subcommand; ``argv`` leaves out the program name and defaults to the shell's arguments.

    Returns:
        The exit status.
    """
    _never_fail_to_print()
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.action(arguments))
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
    """The parser with every subcommand and its options."""
    parser = argparse.ArgumentParser(
        prog="labkit",
        description="Run, record, check, release and render the labs; make and pack networks.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    subcommands = parser.add_subparsers(title="subcommands", required=True, metavar="COMMAND")
    for group in (labs, networks, student, instructor, grading):
        group.add_subcommands(subcommands)
    return parser

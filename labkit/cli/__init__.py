"""The command line. Its modules parse arguments and print; the package does the work.

The exit status is 0 for success, 1 if a notebook failed or is not complete, 2 for wrong input, and 130
after Ctrl-C.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from labkit import __version__
from labkit.cli import grading, instructor, labs, networks, student

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit status.

    Args:
        argv: arguments without the program's name; those of the shell by default.
    """
    _escape_unprintable()
    arguments = _parser().parse_args(argv)
    try:
        status = int(arguments.action(arguments))
        sys.stdout.flush()
    except BrokenPipeError:  # what reads the output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, RuntimeError, OSError, FloatingPointError) as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def _escape_unprintable() -> None:
    """Print a character that a stream cannot encode as ``\\u2265``: pipes on Windows are not UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    """Return the parser with every subcommand and its options."""
    parser = argparse.ArgumentParser(
        prog="labkit",
        description="Run, record, check, release and render the labs; train and compress networks.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    subcommands = parser.add_subparsers(title="subcommands", required=True, metavar="COMMAND")
    for group in (labs, networks, student, instructor, grading):
        group.add_subcommands(subcommands)
    return parser

"""What the subcommand modules share: declaring a subcommand and printing findings."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

__all__ = ["add_subcommand", "print_findings"]


def add_subcommand(
    subcommands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    action: Callable[[argparse.Namespace], int],
    description: str,
) -> argparse.ArgumentParser:
    """Add a subcommand whose parsed arguments carry ``action``, the function that does the work."""
    parser = subcommands.add_parser(name, help=description, description=description)
    parser.set_defaults(action=action)
    return parser


def print_findings(findings: Sequence[str], success: str) -> int:
    """Print the findings, or ``success`` if there are none; return the exit status."""
    print("\n".join(findings) or success)
    return 1 if findings else 0

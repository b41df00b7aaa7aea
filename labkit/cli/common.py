"""What the subcommand modules share: declaring a subcommand, finding labs by name, printing findings."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from labkit import settings

__all__ = ["add_subcommand", "find_labs", "lab_names", "print_findings"]


def add_subcommand(
    subcommands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    action: Callable[[argparse.Namespace], int],
    description: str,
) -> argparse.ArgumentParser:
    """A sub-parser whose namespace carries the function that does the work."""
    parser = subcommands.add_parser(name, help=description, description=description)
    parser.set_defaults(action=action)
    return parser


def print_findings(findings: Sequence[str], success: str) -> int:
    """Print what was found, or that all is well; the exit status."""
    print("\n".join(findings) or success)
    return 1 if findings else 0


def find_labs(names: Sequence[str]) -> list[Path]:
    """The notebooks that ``names`` stand for, each once; all labs if there are no names.

    Raises:
        ValueError: if a name fits no notebook, or several; lists those there are.
    """
    labs = _labs()
    if not names:
        if not labs:
            raise ValueError(f"there are no labs in {settings.home() / 'labs'}.")
        return labs
    return list(dict.fromkeys(_find(name, labs) for name in names))


def _find(name: str, labs: Sequence[Path]) -> Path:
    """The notebook that ``name`` stands for: a path, a file name, or how one begins."""
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path
    found = [lab for lab in labs if lab.stem == path.stem] or [
        lab for lab in labs if lab.name.startswith(name)
    ]
    if len(found) != 1:
        problem = "several labs begin" if found else "there is no lab that begins"
        raise ValueError(f"{problem} with {name!r}; there are {lab_names()}.")
    return found[0]


def _labs() -> list[Path]:
    """The workbook's notebooks, in order."""
    return sorted((settings.home() / "labs").glob("[0-9][0-9]_*.ipynb"))


def lab_names() -> str:
    """The names of the labs, for a message."""
    return ", ".join(lab.stem for lab in _labs()) or "none yet"

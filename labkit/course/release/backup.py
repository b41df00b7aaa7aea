"""Copies of a student's files, made before labkit changes them: ``.labkit/backup-1`` and so on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labkit.files import write_atomically

__all__ = ["back_up"]


def back_up(folder: Path, files: Mapping[str, bytes | None]) -> Path:
    """Write files to a new backup of the student's ``folder``, and return the backup's folder.

    Args:
        folder: the student's folder.
        files: contents by name; None for a file that does not exist, which is left out.
    """
    number = 1
    while (backup := folder / ".labkit" / f"backup-{number}").exists():
        number += 1
    for name, content in files.items():
        if content is not None:
            write_atomically(backup / name, content)
    backup.mkdir(parents=True, exist_ok=True)
    return backup

"""List the files of a submitted folder without following it anywhere.

Links, pipes and devices are refused by name and never opened. Leaves out: the files in a zip
(:mod:`labkit.course.submission.archive`), and which file counts for which lab
(:mod:`labkit.course.submission.read`).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

__all__ = [
    "IGNORED_FOLDERS",
    "MAX_FILES",
    "SubmittedFile",
    "file_of_disk",
    "folder_files",
    "is_archive",
    "is_notebook",
    "name_problem",
    "place",
]

MAX_FILES = 10_000
MAX_NAME = 255  # characters; no file system allows more
MAX_DEPTH = 20
# A notebook's suffix, also as some browsers and mail programs save it.
NOTEBOOK_SUFFIXES = (".ipynb", ".ipynb.txt", ".ipynb.json")
# The pristine release, autosaves, and what macOS adds: never a student's work.
IGNORED_FOLDERS = {".labkit", ".ipynb_checkpoints", "__MACOSX", ".venv", ".git"}
# Windows has no O_NOFOLLOW, O_NONBLOCK and O_DIRECTORY; without O_BINARY it would change line endings.
READ_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
FOLDER_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_DIRECTORY"))


class SubmittedFile(NamedTuple):
    """A file of a folder or an archive.

    Attributes:
        name: its path in the submission, the parts separated by slashes.
        problem: why it is refused; None if it is not.
        modified: when it was changed, in seconds; 0 if that is not known.
        read: returns its first bytes, at most as many as asked for. It raises ValueError or OSError.
    """

    name: str
    problem: str | None
    modified: int
    read: Callable[[int], bytes]


def place(name: str) -> PurePosixPath:
    """The path of a file in a submission; Windows writes it with backslashes."""
    return PurePosixPath(name.replace("\\", "/"))


def is_notebook(name: str) -> bool:
    """Whether a file's name is that of a notebook."""
    return name.lower().endswith(NOTEBOOK_SUFFIXES)


def is_archive(name: str) -> bool:
    """Whether a file's name is that of a zip."""
    return name.lower().endswith(".zip")


def name_problem(name: str) -> str | None:
    """Why a file of this name, without its folders, is refused; None if it is not."""
    if len(name) > MAX_NAME:
        return f"a name of {len(name)} characters"
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "a name that is not UTF-8"
    return None


def folder_files(folder: Path) -> Iterator[SubmittedFile]:
    """Yield the files of a folder and of the folders in it, in no particular order.

    A link to a folder, a folder that cannot be listed and one nested too deeply are yielded as refused
    files. Folders that never hold a student's work (:data:`IGNORED_FOLDERS`) are left out.

    Raises:
        ValueError: if there are more than 10,000 files and folders.
    """
    waiting, count = [""], 0
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(folder / prefix) as listing:
                entries = list(listing)
        except OSError as error:
            yield refused(prefix or ".", f"a folder that cannot be read ({error.strerror})")
            continue
        count += len(entries)
        if count > MAX_FILES:
            raise ValueError(f"{folder.name}: more than {MAX_FILES} files; submit only the notebooks.")
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if not entry.is_dir(follow_symlinks=False):
                yield file_of_disk(folder, name)
            elif name.count("/") >= MAX_DEPTH:
                yield refused(name, f"a folder more than {MAX_DEPTH} deep")
            elif entry.name not in IGNORED_FOLDERS:
                waiting.append(f"{name}/")


def refused(name: str, problem: str) -> SubmittedFile:
    """A file that is not read, for a reason."""
    return SubmittedFile(name, problem, 0, partial(_refuse, problem))


def file_of_disk(folder: Path, name: str) -> SubmittedFile:
    """The file ``name`` of a folder; links are not followed."""
    try:
        facts = (folder / name).lstat()
    except OSError as error:
        return refused(name, f"cannot be read ({error.strerror})")
    if stat.S_ISLNK(facts.st_mode):
        return refused(name, "a link")
    if not stat.S_ISREG(facts.st_mode):
        return refused(name, "not a regular file")
    last = place(name).name
    problem = name_problem(last) if is_notebook(last) else None
    return SubmittedFile(name, problem, int(facts.st_mtime), partial(_first_bytes, folder, name))


def _refuse(problem: str, _: int) -> bytes:
    raise ValueError(problem)


def _first_bytes(folder: Path, name: str, count: int) -> bytes:
    """At most ``count`` bytes of a file, or a ValueError if it became something else since it was listed."""
    with open(_open(folder, name), "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise ValueError("not a regular file")
        return stream.read(count)


def _open(folder: Path, name: str) -> int:
    """A descriptor of a file; no folder on the way from ``folder`` may be a link."""
    if os.open not in os.supports_dir_fd:  # Windows
        return os.open(folder / name, READ_FLAGS)
    *folders, last = name.split("/")
    inside = os.open(folder, FOLDER_FLAGS)
    try:
        for part in folders:
            outside, inside = inside, os.open(part, FOLDER_FLAGS, dir_fd=inside)
            os.close(outside)
        return os.open(last, READ_FLAGS, dir_fd=inside)
    finally:
        os.close(inside)

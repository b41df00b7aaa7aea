"""Read a submission, a folder or a zip, as one notebook in bytes per lab; nothing is written to disk.

A submission is not trusted: names, sizes and types of files are checked, only notebooks are read,
and every refused file becomes a warning. The other end of the format is
:mod:`labkit.course.submission.pack`. Leaves out: limits of time and memory
(:mod:`labkit.course.submission.limited`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from labkit.course.submission.archive import MAX_ARCHIVE_BYTES, archive_files
from labkit.course.submission.files import (
    IGNORED_FOLDERS,
    MAX_FILES,
    SubmittedFile,
    file_of_disk,
    folder_files,
    is_archive,
    is_notebook,
    name_problem,
    place,
)

__all__ = ["MAX_NOTEBOOK_BYTES", "Submission", "read_submission"]

MAX_NOTEBOOK_BYTES = 20_000_000
MAX_TOTAL_BYTES = 200_000_000
MAX_NESTING = 2  # archives in archives
# 01_slug.ipynb, and how browsers and file managers name a second copy of it.
LAB_NAME = re.compile(r"(\d\d_\w+?)(?: ?\(\d+\)|[ _-]+[Cc]opy\d*(?: ?\(\d+\))?)?\.ipynb", re.ASCII)
OTHER_ARCHIVES = (".7z", ".rar", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".zipx")


@dataclass(frozen=True)
class Submission:
    """A submission, and warnings about it, one sentence each.

    Attributes:
        notebooks: the content of notebooks that are named like a lab (``01_slug.ipynb``).
        unnamed: the names and contents of the other notebooks.
    """

    name: str
    notebooks: dict[str, bytes] = field(default_factory=dict)
    unnamed: list[tuple[str, bytes]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class _Budget:
    """What may still be read of one submission's archives."""

    archive_bytes: int
    files: int


def read_submission(path: Path) -> Submission:
    """Read the notebooks in ``path``: a folder, a zip or one notebook.

    Zips in a folder or a zip are opened too. A file is refused, with a warning, if its path is absolute
    or contains ``..``, if it is a link or not a regular file, encrypted, damaged, larger than 20 MB, or
    compressed more than 200 times. Of two files for one lab the one nearest to the top counts, then the
    latest. The name of a second copy, such as ``01_slug (1).ipynb``, is read as the lab's. Files that
    are not notebooks are ignored.

    Returns:
        The submission; ``notebooks`` is empty if none was found.

    Raises:
        ValueError: if ``path`` does not exist, is not a folder, zip or notebook, or exceeds a limit
            (64 MB of zips, 10,000 files, 200 MB of notebooks).
        OSError: if it cannot be read.
    """
    if path.is_symlink() or not (path.is_dir() or path.is_file()):
        raise ValueError(
            f"{path.name} is a link, a device or does not exist; pass a folder, a zip file or a notebook."
        )
    if path.is_dir():
        return _read(path.name, folder_files(path))
    file = file_of_disk(path.parent, path.name)
    if is_notebook(path.name):
        return _read(path.stem, [file])
    try:
        files = archive_files(file.read(MAX_ARCHIVE_BYTES + 1), file.modified)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}.") from error
    return _read(path.stem, files)


def _read(name: str, files: Iterable[SubmittedFile]) -> Submission:
    """Choose one file per lab and read it."""
    submission = Submission(name)
    budget = _Budget(MAX_ARCHIVE_BYTES, MAX_FILES)
    opened = list(_with_archives_opened(files, budget, submission.warnings))
    total = 0
    # subtle: of two files with one name in a zip, the last is what every program unpacks.
    opened.reverse()
    for file in sorted(opened, key=_preference):
        shown = _printable(file.name)
        lab = _lab_file(place(file.name).name)
        problem = file.problem
        if problem is None and lab is not None and lab in submission.notebooks:
            problem = f"a second file for {lab.removesuffix('.ipynb')}"
        try:
            if problem is not None:
                raise ValueError(problem)
            content = _content(file)
        except (ValueError, OSError) as error:
            submission.warnings.append(f"{shown}: {error}; not read")
            continue
        total += len(content)
        if total > MAX_TOTAL_BYTES:
            raise ValueError(f"{name}: over {MAX_TOTAL_BYTES // 10**6} MB of notebooks; pack it again.")
        if lab is None:
            submission.unnamed.append((shown, content))
            continue
        submission.notebooks[lab] = content
        if place(file.name).name != lab:
            submission.warnings.append(f"{shown}: read as {lab}")
    return submission


def _with_archives_opened(
    files: Iterable[SubmittedFile], budget: _Budget, warnings: list[str], nesting: int = 0
) -> Iterator[SubmittedFile]:
    """Yield the notebooks and the refused files, those in archives too; other files are left out."""
    for file in files:
        path = place(file.name)
        if IGNORED_FOLDERS.intersection(path.parts) or path.name.startswith("._"):
            continue
        if file.problem is not None or is_notebook(path.name):
            yield file
        elif is_archive(path.name):
            try:
                inside = _files_in(file, budget, nesting)
            except (ValueError, OSError) as error:
                warnings.append(f"{_printable(file.name)}: {error}; not opened")
                continue
            yield from _with_archives_opened(inside, budget, warnings, nesting + 1)
        elif path.name.lower().endswith(OTHER_ARCHIVES):
            warnings.append(f"{_printable(file.name)}: an archive, but not a zip; not opened")


def _files_in(file: SubmittedFile, budget: _Budget, nesting: int) -> list[SubmittedFile]:
    """The files of an archive, under names that begin with the archive's."""
    if nesting == MAX_NESTING:
        raise ValueError(f"more than {MAX_NESTING} archives inside each other")
    content = file.read(budget.archive_bytes + 1)
    if len(content) > budget.archive_bytes:
        raise ValueError(f"over {MAX_ARCHIVE_BYTES // 10**6} MB of archives; submit only the notebooks")
    inside = archive_files(content, file.modified)
    if len(inside) > budget.files:
        raise ValueError(f"more than {MAX_FILES} files; submit only the notebooks")
    budget.archive_bytes -= len(content)
    budget.files -= len(inside)
    return [inner._replace(name=f"{file.name}/{inner.name}") for inner in inside]


def _preference(file: SubmittedFile) -> tuple[int, bool, int, bool, str]:
    """A sort key that puts the file to read first: nearest to the top, in ``labs``, latest, unchanged name."""
    path = place(file.name)
    depth = len(path.parts) - (path.parent.name == "labs")
    renamed = _lab_file(path.name) != path.name
    return depth, path.parent.name != "labs", -file.modified, renamed, file.name


def _lab_file(name: str) -> str | None:
    """The lab's file name that a file's name stands for; None if it is not named like a lab."""
    match = LAB_NAME.fullmatch(name) if name_problem(name) is None else None
    return f"{match[1]}.ipynb" if match else None


def _printable(name: str) -> str:
    """A name as it can be shown and stored: bytes that are not UTF-8 and controls as ``\\x..``."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return shown if len(shown) <= 120 else f"{shown[:60]}…{shown[-50:]}"


def _content(file: SubmittedFile) -> bytes:
    """A file's bytes; more than the limit are not read."""
    content = file.read(MAX_NOTEBOOK_BYTES + 1)
    if len(content) > MAX_NOTEBOOK_BYTES:
        raise ValueError(f"over {MAX_NOTEBOOK_BYTES // 10**6} MB")
    return content

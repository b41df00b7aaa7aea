"""Read a submission, a folder or a zip, as one notebook in bytes per lab; nothing is written to disk.

A submission is not trusted: names, sizes and types of files are checked, only notebooks are read,
and every refused file becomes a warning. The other end of the format is
:mod:`labkit.course.submission.pack`.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

__all__ = ["MAX_NOTEBOOK_BYTES", "Submission", "read_submission"]

MAX_ARCHIVE_BYTES = 64_000_000
MAX_FILES = 10_000
MAX_NOTEBOOK_BYTES = 20_000_000
MAX_TOTAL_BYTES = 200_000_000
MAX_RATIO = 200  # of uncompressed to compressed size, past the first megabyte
FREE_RATIO_BYTES = 1_000_000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Windows has no O_NOFOLLOW and O_NONBLOCK; without O_BINARY it would change line endings.
READ_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
CENTRAL_ENTRY = b"PK\x01\x02"  # begins every entry of a zip's directory
# 01_slug.ipynb, and how browsers and file managers name a second copy of it.
LAB_NAME = re.compile(r"(\d\d_\w+?)(?: ?\(\d+\)|[ _-]+[Cc]opy\d*(?: ?\(\d+\))?)?\.ipynb", re.ASCII)
# A notebook's suffix, also as some browsers and mail programs save it.
NOTEBOOK = re.compile(r".+\.ipynb(\.txt|\.json)?", re.IGNORECASE | re.DOTALL)
MAX_NAME = 255  # characters; no file system allows more
# The pristine release, autosaves, and what macOS adds: never a student's work.
IGNORED_FOLDERS = {".labkit", ".ipynb_checkpoints", "__MACOSX", ".venv", ".git"}


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


class _File(NamedTuple):
    """A file of a folder or an archive, and the reason to refuse it or None."""

    name: str
    problem: str | None
    source: Path | zipfile.ZipInfo


def read_submission(path: Path) -> Submission:
    """Read the notebooks in ``path``: a folder, a zip or one notebook.

    A file is refused, with a warning, if its path is absolute or contains ``..``, if it is a link or
    not a regular file, encrypted, larger than 20 MB, or compressed more than 200 times. Of two files
    for one lab the one nearest to the top counts, then the latest. The name of a second copy, such as
    ``01_slug (1).ipynb``, is read as the lab's. Files that are not notebooks are ignored.

    Returns:
        The submission; ``notebooks`` is empty if none was found.

    Raises:
        ValueError: if ``path`` does not exist, is not a folder, zip or notebook, or exceeds a limit
            (a zip of 64 MB, 10,000 files, 200 MB of notebooks).
        OSError: if it cannot be read.
    """
    if path.is_symlink() or not (path.is_dir() or path.is_file()):
        raise ValueError(f"{path} is a link or does not exist; pass a folder, a zip file or a notebook.")
    name = path.name if path.is_dir() else path.stem
    if path.is_dir():
        return _read(name, list(_folder_files(path)), None)
    if _is_notebook(path.name):
        return _read(name, [_File(path.name, _disk_problem(path), path)], None)
    with _open_archive(path) as archive:
        return _read(
            name, [_archive_file(info) for info in archive.infolist() if not info.is_dir()], archive
        )


def _read(name: str, files: list[_File], archive: zipfile.ZipFile | None) -> Submission:
    """Choose one file per lab and read it."""
    submission = Submission(name)
    total = 0
    for file in sorted(files, key=_preference):
        shown = _printable(file.name)
        place = _place(file)
        if _is_ignored(place) or (file.problem is None and not _is_notebook(place.name)):
            continue
        lab = _lab_file(place.name)
        problem = file.problem
        if problem is None and lab is not None and lab in submission.notebooks:
            problem = f"a second file for {lab.removesuffix('.ipynb')}"
        try:
            if problem is not None:
                raise ValueError(problem)
            content = _content(file, archive)
        except (ValueError, OSError, RuntimeError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            submission.warnings.append(f"{shown}: {error}; not read")
            continue
        total += len(content)
        if total > MAX_TOTAL_BYTES:
            raise ValueError(f"{name}: over {MAX_TOTAL_BYTES // 10**6} MB of notebooks; pack it again.")
        if lab is None:
            submission.unnamed.append((shown, content))
            continue
        submission.notebooks[lab] = content
        if place.name != lab:
            submission.warnings.append(f"{shown}: read as {lab}")
    return submission


def _preference(file: _File) -> tuple[int, bool, int, bool, str]:
    """A sort key that puts the file to read first: nearest to the top, in ``labs``, latest, unchanged name."""
    place = _place(file)
    depth = len(place.parts) - (place.parent.name == "labs")
    renamed = _lab_file(place.name) != place.name
    return depth, place.parent.name != "labs", -_modified(file.source), renamed, file.name


def _place(file: _File) -> PurePosixPath:
    return PurePosixPath(file.name.replace("\\", "/"))


def _modified(source: Path | zipfile.ZipInfo) -> int:
    """When a file was changed, in seconds; 0 if it cannot be told."""
    try:
        if isinstance(source, Path):
            return int(source.lstat().st_mtime)
        return int(datetime(*source.date_time).timestamp())
    except (OSError, ValueError, OverflowError):
        return 0


def _is_notebook(name: str) -> bool:
    return len(name) <= MAX_NAME and NOTEBOOK.fullmatch(name) is not None


def _lab_file(name: str) -> str | None:
    """The lab's file name that a file's name stands for; None if it is not named like a lab."""
    match = LAB_NAME.fullmatch(name) if len(name) <= MAX_NAME else None
    return f"{match[1]}.ipynb" if match else None


def _is_ignored(place: PurePosixPath) -> bool:
    return bool(IGNORED_FOLDERS.intersection(place.parts)) or place.name.startswith("._")


def _printable(name: str) -> str:
    """A name as it can be shown and stored: bytes that are not UTF-8 and controls as ``\\x..``."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return shown if len(shown) <= 120 else f"{shown[:60]}…{shown[-50:]}"


def _folder_files(folder: Path) -> Iterator[_File]:
    """The files of a folder, links not followed."""
    count = 0
    for root, folders, names in os.walk(folder):
        for link in [name for name in folders if (Path(root) / name).is_symlink()]:
            yield _File(f"{(Path(root) / link).relative_to(folder).as_posix()}", "a link", folder)
        folders[:] = sorted(name for name in folders if name not in IGNORED_FOLDERS)
        count += len(folders) + len(names)
        if count > MAX_FILES:
            raise ValueError(f"{folder.name}: more than {MAX_FILES} files; submit only the notebooks.")
        for name in names:
            path = Path(root) / name
            yield _File(path.relative_to(folder).as_posix(), _disk_problem(path), path)


def _disk_problem(path: Path) -> str | None:
    """Why a file is refused; None if it is not."""
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode):
        return "a link"
    if not stat.S_ISREG(facts.st_mode):
        return "not a regular file"
    return _name_problem(path.name) if _is_notebook(path.name) else None


def _open_archive(path: Path) -> zipfile.ZipFile:
    """Open the zip from memory, so it cannot change while it is read."""
    with path.open("rb") as file:
        content = file.read(MAX_ARCHIVE_BYTES + 1)
    if len(content) > MAX_ARCHIVE_BYTES:
        raise ValueError(f"{path.name}: over {MAX_ARCHIVE_BYTES // 10**6} MB; pack only the notebooks.")
    # subtle: counted before zipfile makes an object of each.
    if content.count(CENTRAL_ENTRY) > MAX_FILES:
        raise ValueError(f"{path.name}: more than {MAX_FILES} files; pack only the notebooks.")
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name}: a file name is not UTF-8; pack it with `labkit pack`.") from error
    except Exception as error:  # zipfile raises struct.error, OverflowError and others on damage
        raise ValueError(f"{path.name}: not a zip that can be read ({error}); pack it again.") from error


def _archive_file(info: zipfile.ZipInfo) -> _File:
    """An entry of a zip, and why it is refused."""
    return _File(info.filename, _entry_problem(info), info)


def _entry_problem(info: zipfile.ZipInfo) -> str | None:
    """Why an entry is refused; None if it is not."""
    parts = info.orig_filename.replace("\\", "/").split("/")
    if not parts[0] or re.match(r"[A-Za-z]:", parts[0]):
        return "an absolute path"
    if ".." in parts:
        return "a path with '..'"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "a link" if kind == stat.S_IFLNK else "not a regular file"
    if not _is_notebook(PurePosixPath(info.filename).name):
        return None
    if info.flag_bits & 1:
        return "encrypted"
    if info.compress_type not in METHODS:
        return f"compressed by method {info.compress_type}, not by deflate"
    if info.file_size > max(FREE_RATIO_BYTES, MAX_RATIO * info.compress_size):
        return f"compressed more than {MAX_RATIO} times"
    if info.file_size > MAX_NOTEBOOK_BYTES:
        return f"over {MAX_NOTEBOOK_BYTES // 10**6} MB"
    raw = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
    return _name_problem(os.fsdecode(raw.replace(b"\\", b"/").rpartition(b"/")[2]))


def _name_problem(name: str) -> str | None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "a name that is not UTF-8"
    return None


def _content(file: _File, archive: zipfile.ZipFile | None) -> bytes:
    """A file's bytes; more than the limit are not read."""
    if isinstance(file.source, zipfile.ZipInfo):
        assert archive is not None
        with archive.open(file.source) as stream:  # what the directory says of sizes may be false
            content = stream.read(MAX_NOTEBOOK_BYTES + 1)
    else:
        # subtle: it may have become a link or a pipe since it was listed.
        descriptor = os.open(file.source, READ_FLAGS)
        with open(descriptor, "rb") as stream:  # noqa: PTH123
            content = stream.read(MAX_NOTEBOOK_BYTES + 1)
    if len(content) > MAX_NOTEBOOK_BYTES:
        raise ValueError(f"over {MAX_NOTEBOOK_BYTES // 10**6} MB")
    return content

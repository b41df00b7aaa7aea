"""List the files of a submitted zip, whose directory may be false in every field.

The zip is read into memory, so it cannot change meanwhile, and nothing is written to disk.
"""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from datetime import datetime
from functools import partial

from labkit.course.submission.files import (
    MAX_FILES,
    SubmittedFile,
    is_archive,
    is_notebook,
    name_problem,
    place,
)

__all__ = ["MAX_ARCHIVE_BYTES", "archive_files"]

MAX_ARCHIVE_BYTES = 64_000_000
MAX_RATIO = 200  # of uncompressed to compressed size, past the first megabyte
FREE_RATIO_BYTES = 1_000_000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
NO_TIME_YEAR = 1980  # what a zip says of a file that carries no time
CENTRAL_ENTRY = b"PK\x01\x02"  # begins every entry of a zip's directory


def archive_files(content: bytes, modified: int = 0) -> list[SubmittedFile]:
    """The files of the zip ``content``, in the order of its directory.

    A file is refused if its path is absolute or contains ``..``, or if it is a link or not a regular
    file. A notebook or an archive is refused as well if it is encrypted, compressed by an unusual
    method or more than 200 times.

    Args:
        content: the bytes of the zip.
        modified: when the zip was changed, in seconds; it counts for files that carry no time.

    Raises:
        ValueError: if it is over 64 MB or not a zip, or has more than 10,000 files.
    """
    if len(content) > MAX_ARCHIVE_BYTES:
        raise ValueError(f"over {MAX_ARCHIVE_BYTES // 10**6} MB; pack only the notebooks")
    # subtle: counted before zipfile makes an object of each.
    if content.count(CENTRAL_ENTRY) > MAX_FILES:
        raise ValueError(f"more than {MAX_FILES} files; pack only the notebooks")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except UnicodeDecodeError as error:
        raise ValueError("a file name is not UTF-8; pack it with `labkit pack`") from error
    except Exception as error:  # zipfile raises struct.error, OverflowError and others on damage
        raise ValueError(f"not a zip that can be read ({error}); pack it again") from error
    return [
        SubmittedFile(
            info.filename, _problem(info), _modified(info) or modified, partial(_first_bytes, archive, info)
        )
        for info in archive.infolist()
        if not info.is_dir()
    ]


def _problem(info: zipfile.ZipInfo) -> str | None:
    """Why a file is refused; None if it is not."""
    parts = info.orig_filename.replace("\\", "/").split("/")
    if not parts[0] or re.match(r"[A-Za-z]:", parts[0]):
        return "an absolute path"
    if ".." in parts:
        return "a path with '..'"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "a link" if kind == stat.S_IFLNK else "not a regular file"
    last = place(info.filename).name
    return _content_problem(info) if is_notebook(last) or is_archive(last) else None


def _content_problem(info: zipfile.ZipInfo) -> str | None:
    """Why a file that would be read is refused; None if it is not."""
    if info.flag_bits & 1:
        return "encrypted"
    if info.compress_type not in METHODS:
        return f"compressed by method {info.compress_type}, not by deflate"
    if info.file_size > max(FREE_RATIO_BYTES, MAX_RATIO * info.compress_size):
        return f"compressed more than {MAX_RATIO} times"
    raw = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
    return name_problem(os.fsdecode(raw.replace(b"\\", b"/").rpartition(b"/")[2]))


def _modified(info: zipfile.ZipInfo) -> int:
    """When a file was changed, in seconds; 0 if the zip does not tell."""
    try:
        time = datetime(*info.date_time)
        return int(time.timestamp()) if time.year > NO_TIME_YEAR else 0
    except (OSError, ValueError, OverflowError):
        return 0


def _first_bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo, count: int) -> bytes:
    """At most ``count`` bytes of a file; what the directory says of its size may be false."""
    try:
        with archive.open(info) as stream:
            return stream.read(count)
    except MemoryError:
        raise
    except Exception as error:  # zipfile raises zlib.error, OverflowError, EOFError and others on damage
        raise ValueError(f"damaged ({error})") from error

"""Download a file: progress, continuation after an interruption, and the check of its MD5 sum."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

__all__ = ["DownloadError", "download"]

CHUNK = 1 << 16
TIMEOUT_S = 30.0  # without an answer, or without another byte


class DownloadError(RuntimeError):
    """A file could not be downloaded; the message says why and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: one line, since the reader's code is not at fault."""
        return [f"{type(self).__name__}: {self}"]


def download(url: str, target: Path, md5: str) -> None:
    """Download ``url`` to ``target``, unless a file with the right sum is there already.

    What has arrived is kept in ``target`` with ``.part`` appended. The next call continues there, if the
    server can send the rest alone, and begins again otherwise.

    Args:
        url: of one file, by HTTP.
        target: the file to write; its folder is created if missing.
        md5: the expected sum, 32 hexadecimal digits. It detects damage, not a forgery.

    Raises:
        DownloadError: if the server cannot be reached, the connection ends early, or the sum is wrong.
        OSError: if the disk is full.
    """
    if target.is_file() and _md5(target) == md5:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    try:
        _continue(url, part)
    except HTTPError as error:
        raise DownloadError(f"{url} answers {error.code} {error.reason}") from None
    except URLError as error:
        raise DownloadError(f"{url} cannot be reached: {error.reason}") from None
    except (TimeoutError, ConnectionError, HTTPException) as error:
        raise DownloadError(
            f"the connection to {url} was lost after {part.stat().st_size if part.is_file() else 0:,} bytes "
            f"({type(error).__name__}); the next try continues there"
        ) from None
    if (actual := _md5(part)) != md5:
        part.unlink()
        raise DownloadError(f"{url} is corrupted: its MD5 sum is {actual}, expected {md5}")
    part.replace(target)


def _continue(url: str, part: Path) -> None:
    """Append to ``part`` what is missing of the file."""
    present = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "labkit", **({"Range": f"bytes={present}-"} if present else {})}
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)
    except HTTPError as error:
        if present and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing; the sum decides
        raise
    with response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            present = 0  # the server sends the whole file
        missing = None if response.length is None else int(response.length)
        total = None if missing is None else present + missing
        bar = tqdm(total=total, initial=present, unit="B", unit_scale=True, desc=part.stem, mininterval=1)
        with part.open("ab" if present else "wb") as file, bar:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and part.stat().st_size < total:
        raise ConnectionError  # subtle: http.client ends a body that is cut off without an error


def _md5(path: Path) -> str:
    """Return the MD5 sum of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

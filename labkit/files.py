"""Writing files atomically, their SHA-256, and reproducible zip archives."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["digest", "partial_path", "write_atomically", "zip_bytes"]

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the earliest time that zip can store
MODE = 0o100644
ALREADY_COMPRESSED = (".safetensors", ".lkc", ".png", ".jpg")


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``; an interruption leaves either the old file or the new one.

    Raises:
        OSError: if the disk is full or the folder is not writable; it names ``path``, and no partial file
            is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:  # subtle: of a full disk, the system does not say which file it was
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def partial_path(path: Path) -> Path:
    """Return where to prepare the file or folder ``path`` before it is renamed.

    The name holds the number of this process. What processes that have ended since left under such a
    name is removed.
    """
    name = re.compile(rf"\.{re.escape(path.name)}\.(\d{{1,9}})\.part")
    with suppress(OSError):  # the folder does not exist yet, or cannot be listed
        for other in path.parent.iterdir():
            match = name.fullmatch(other.name)
            if match is None or psutil.pid_exists(int(match[1])):
                continue
            if other.is_dir() and not other.is_symlink():
                shutil.rmtree(other, ignore_errors=True)
            else:
                other.unlink(missing_ok=True)
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def digest(content: bytes) -> str:
    """Return the SHA-256 of ``content`` in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """Return a zip archive of ``files`` (contents by name), sorted by name and with a fixed time.

    The same files always give the same bytes.

    >>> zip_bytes({"b": b"2", "a": b"1"}) == zip_bytes({"a": b"1", "b": b"2"})
    True
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, EARLIEST)
            info.create_system, info.external_attr = 3, MODE << 16  # as on Unix, on every system
            stored = name.endswith(ALREADY_COMPRESSED)
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name])
    return buffer.getvalue()

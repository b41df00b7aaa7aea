"""Files as the workbook writes them: whole or not at all, the same bytes for the same content."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["digest", "write_atomically", "zip_bytes"]

EARLIEST = (1980, 1, 1, 0, 0, 0)  # zip knows no earlier time
MODE = 0o100644
ALREADY_COMPRESSED = (".safetensors", ".lkc", ".png", ".jpg")


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that an interruption leaves the old file or the new one.

    Raises:
        OSError: if the disk is full or the folder cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """The zip that holds ``files``, by name, in the order of their names, all of one fixed time.

    >>> zip_bytes({"b": b"2", "a": b"1"}) == zip_bytes({"a": b"1", "b": b"2"})
    True
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, EARLIEST)
            info.create_system, info.external_attr = 3, MODE << 16  # as on Unix, wherever it is made
            stored = name.endswith(ALREADY_COMPRESSED)
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name])
    return buffer.getvalue()

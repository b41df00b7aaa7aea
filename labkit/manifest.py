"""The files in a data set's folder of checkpoints: their names, and the manifest that describes them.

``checkpoints/<dataset>/manifest.json`` has an entry for each network. What all readers need is checked here,
once: the weights' SHA-256, their format, and whether the repository ships them. Leaves out: metrics and
training history, which only those read who use the weights (:mod:`labkit.storage.checkpoints`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

__all__ = [
    "MANIFEST_FILE",
    "FileFormat",
    "ManifestEntry",
    "manifest_bytes",
    "manifest_paths",
    "parse_manifest",
    "scan_file",
    "weights_file",
]

MANIFEST_FILE = "manifest.json"
FileFormat = Literal["safetensors", "lkc"]


@dataclass(frozen=True)
class ManifestEntry:
    """What every reader of a manifest needs to know of one checkpoint.

    Attributes:
        name: of the checkpoint.
        sha256: of the file with the weights.
        format: of that file; also its suffix.
        shipped: whether the repository holds the file, too.
        fields: the entry as the manifest holds it, with the metrics and the history.
    """

    name: str
    sha256: str
    format: FileFormat
    shipped: bool
    fields: Mapping[str, object]

    @property
    def file(self) -> str:
        """The path of the weights from the folder of the manifest."""
        return weights_file(self.name, self.format, shipped=self.shipped)


def weights_file(name: str, file_format: FileFormat = "safetensors", *, shipped: bool = True) -> str:
    """Return the path of the weights of checkpoint ``name`` from the folder of the manifest.

    Files that the repository does not ship have a folder that git ignores.

    >>> weights_file("net"), weights_file("net", "lkc", shipped=False)
    ('net.safetensors', '.local/net.lkc')
    """
    folder = "" if shipped else ".local/"
    return f"{folder}{name}.{file_format}"


def scan_file(name: str) -> str:
    """Return the name of the file beside the manifest that holds the sensitivity scans of a checkpoint."""
    return f"{name}.scan.json"


def manifest_paths(checkpoints: Path) -> list[Path]:
    """Return the manifests of all data sets in the folder ``checkpoints``, in the order of their names."""
    return sorted(checkpoints.glob(f"*/{MANIFEST_FILE}"))


def parse_manifest(content: bytes) -> dict[str, ManifestEntry]:
    """Return the entries of a manifest by name.

    Raises:
        ValueError: if it is not JSON, or an entry lacks a SHA-256 or has another format than these two.
    """
    try:
        manifest = json.loads(content.decode())
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(manifest, dict):
        raise ValueError(f"expected entries by name, got {type(manifest).__name__}")
    return {name: _entry(name, fields) for name, fields in manifest.items()}


def manifest_bytes(entries: Mapping[str, Mapping[str, object]]) -> bytes:
    """Return a manifest with the fields of these entries, in the order given."""
    return f"{json.dumps(entries, indent=1, ensure_ascii=False)}\n".encode()


def _entry(name: str, fields: object) -> ManifestEntry:
    """Return one entry; ValueError says what is wrong with it."""
    if not isinstance(fields, dict):
        raise ValueError(f"the entry {name!r} is {type(fields).__name__}, expected an object")
    sha256, file_format = fields.get("sha256"), fields.get("format", "safetensors")
    shipped = fields.get("shipped", True)
    if not isinstance(sha256, str):
        raise ValueError(f"the entry {name!r} has no sha256")
    if file_format not in get_args(FileFormat):
        raise ValueError(f"the entry {name!r} has the format {file_format!r}")
    if not isinstance(shipped, bool):
        raise ValueError(f"the entry {name!r} has shipped = {shipped!r}")
    return ManifestEntry(name, sha256, file_format, shipped, fields)

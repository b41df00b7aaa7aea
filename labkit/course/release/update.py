"""Update the folder that a student works in to a newer release without losing any work.

All new contents are computed before the first file changes. The files that will change are copied to
``.labkit/backup-<n>/`` first, and put back if anything fails. Leaves out: how a notebook is merged
(:mod:`labkit.course.release.merge`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nbformat

from labkit.course.notebook import structure
from labkit.course.notebook.cell_ids import restore_ids
from labkit.course.notebook.normal_form import to_bytes
from labkit.course.release.backup import back_up
from labkit.course.release.folder import MANIFEST, PRISTINE, read_hashes
from labkit.course.release.merge import merge
from labkit.files import digest, write_atomically
from labkit.manifest import MANIFEST_FILE, ManifestEntry, manifest_bytes, parse_manifest

__all__ = ["update"]

Files = dict[str, bytes]  # by path in the folder


def update(folder: Path, release: Mapping[str, bytes]) -> list[str]:
    """Merge the release ``release`` (files by name) into ``folder``.

    Notebooks are merged cell by cell. Checkpoints that the student trained stay. Every other file of the
    release gets the new version; if the student changed it, that version is in the backup. Files that are
    not part of a release are not touched, and no lab is removed.

    Returns:
        One sentence per change.

    Raises:
        ValueError: if ``folder`` is not a release, or a notebook in it cannot be read; nothing is
            changed then.
        OSError: if the disk is full; everything is put back.
    """
    hashes = read_hashes(folder)
    if hashes is None:
        raise ValueError(
            f"{folder} is not a released folder, since it has no {MANIFEST}; give the folder that contains labs/."
        )
    notes: list[str] = []
    merged = _merged_files(folder, hashes, release, notes)
    changes = {name: content for name, content in merged.items() if _content(folder, name) != content}
    obsolete = [name for name in _obsolete(folder, hashes, release) if name not in merged]
    before = {name: _content(folder, name) for name in (*changes, *obsolete)}
    if not before:
        return ["nothing to do: the folder already has this release"]
    backup = back_up(folder, before)
    try:
        # subtle: the pristine labs come after the merged ones, so a second run can finish after a kill.
        for name in sorted(changes, key=lambda name: (name.startswith(".labkit/"), name == MANIFEST)):
            write_atomically(folder / name, changes[name])
        for name in obsolete:
            (folder / name).unlink(missing_ok=True)
    except BaseException:  # Ctrl-C too
        _restore(folder, before)
        raise
    notes.append(f"{len(changes)} files written, {len(obsolete)} removed; the old ones are in {backup}")
    return notes


def _merged_files(
    folder: Path, hashes: Mapping[str, str], release: Mapping[str, bytes], notes: list[str]
) -> Files:
    """Return the content that each file of the release is to have in ``folder``.

    Args:
        folder: the student's folder.
        hashes: of the files of the old release by name.
        release: the files of the new release by name.
        notes: gets one sentence per change.
    """
    manifests = [name for name in release if _is_checkpoint(name) and name.endswith(f"/{MANIFEST_FILE}")]
    trained = {
        name for manifest in manifests for name in _trained_weights(folder, manifest, hashes, release)
    }
    merged: Files = {}
    for name, content in release.items():
        current = _content(folder, name)
        if name.startswith("labs/") and current is not None:
            merged[name] = _merged_lab(folder, name, content, notes)
        elif name in manifests and current is not None:
            merged[name] = _merged_manifest(content, current, trained, Path(name).parent.as_posix())
        elif name in trained and current is not None:
            notes.append(f"{name}: trained by you, kept")
            merged[name] = current
        else:
            unedited = (hashes.get(name), digest(content))
            edited = current is not None and digest(current) not in unedited
            if edited and not name.startswith(".labkit/"):
                notes.append(f"{name}: new version; yours is in the backup")
            merged[name] = content
    return merged


def _merged_lab(folder: Path, name: str, content: bytes, notes: list[str]) -> bytes:
    """Return one notebook, merged; without its pristine copy, every cell counts as added by the student."""
    pristine = folder / PRISTINE / Path(name).name
    base = structure.read_notebook(pristine) if pristine.is_file() else nbformat.v4.new_notebook()
    local = restore_ids(structure.read_notebook(folder / name, repair=True), base)
    remote = nbformat.reads(content.decode(), as_version=4)
    merged = merge(base, local, remote)
    notes += [f"{name}, cell {note}" for note in merged.notes]
    return to_bytes(merged.notebook)


def _trained_weights(
    folder: Path, manifest: str, hashes: Mapping[str, str], release: Mapping[str, bytes]
) -> list[str]:
    """Return the released weight files that the student has replaced by training."""
    prefix = f"{Path(manifest).parent.as_posix()}/"
    entries = _entries(_content(folder, manifest) or b"").values()
    recorded = {f"{prefix}{entry.file}": entry.sha256 for entry in entries}
    trained = []
    for name in release:
        current = _content(folder, name) if name.startswith(prefix) else None
        if (
            current is not None
            and digest(current) not in (hashes.get(name), digest(release[name]))
            # A damaged file does not match the student's manifest and is replaced.
            and digest(current) == recorded.get(name)
        ):
            trained.append(name)
    return trained


def _merged_manifest(content: bytes, current: bytes, trained: set[str], folder: str) -> bytes:
    """Return the new checkpoint manifest with the student's entries for weights that stay."""
    remote, local = _entries(content), _entries(current)
    kept = {
        name: entry
        for name, entry in local.items()
        if name not in remote or f"{folder}/{entry.file}" in trained
    }
    if not kept:
        return content
    merged = sorted({**remote, **kept}.items())
    return manifest_bytes({name: entry.fields for name, entry in merged})


def _entries(content: bytes) -> dict[str, ManifestEntry]:
    """Return the entries of a checkpoint manifest; none if it is damaged."""
    try:
        return parse_manifest(content)
    except ValueError:
        return {}


def _obsolete(folder: Path, hashes: Mapping[str, str], release: Mapping[str, bytes]) -> list[str]:
    """Return the files of the old release that the new one lacks and the student did not change."""
    # subtle: a lab that stays needs its pristine copy as the base of the next update.
    kept = ("labs/", f"{PRISTINE}/")
    candidates = [name for name in hashes if name not in release and not name.startswith(kept)]
    current = {name: _content(folder, name) for name in candidates}
    return [
        name for name, content in current.items() if content is not None and digest(content) == hashes[name]
    ]


def _is_checkpoint(name: str) -> bool:
    """Return whether a file belongs to the checkpoints."""
    return name.startswith("checkpoints/")


def _content(folder: Path, name: str) -> bytes | None:
    """Return the bytes of a file in the folder, or None if it does not exist."""
    path = folder / name
    return path.read_bytes() if path.is_file() else None


def _restore(folder: Path, before: Mapping[str, bytes | None]) -> None:
    """Put every file back as it was."""
    for name, content in before.items():
        if content is None:
            (folder / name).unlink(missing_ok=True)
        elif _content(folder, name) != content:
            write_atomically(folder / name, content)

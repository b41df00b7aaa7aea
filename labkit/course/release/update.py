"""Bring a folder a student has worked in to a newer release, losing nothing.

Everything is worked out before the first file changes; what will change is copied to
``.labkit/backup-<n>/`` first and put back if anything fails. Leaves out: how a notebook is merged
(:mod:`labkit.course.release.merge`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import nbformat

from labkit.course.notebook import structure
from labkit.course.notebook.normal_form import to_bytes
from labkit.course.release.folder import MANIFEST, PRISTINE, read_manifest
from labkit.course.release.merge import merge
from labkit.files import digest, write_atomically
from labkit.settings import checkpoint_file

__all__ = ["update"]

Files = dict[str, bytes]


def update(folder: Path, release: Mapping[str, bytes]) -> list[str]:
    """Merge the release ``release`` (files by name) into ``folder``.

    Notebooks are merged cell by cell. Any other file takes the new version (a copy that the student
    changed is in the backup), checkpoints that the student trained stay, files that are not part of
    a release are not touched, and no lab is removed.

    Returns:
        What was done, a sentence each.

    Raises:
        ValueError: if ``folder`` is no release, or a notebook in it cannot be read; nothing is
            changed then.
        OSError: if the disk is full; everything is put back.
    """
    base = read_manifest(folder)
    if base is None:
        raise ValueError(f"{folder} is no released folder: it has no {MANIFEST}; give the folder of labs/.")
    said: list[str] = []
    wanted = _wanted(folder, base, release, said)
    changes = {name: content for name, content in wanted.items() if _current(folder, name) != content}
    obsolete = [name for name in _obsolete(folder, base, release) if name not in wanted]
    before = {name: _current(folder, name) for name in (*changes, *obsolete)}
    if not before:
        return ["nothing to do: the folder already has this release"]
    backup = _back_up(folder, before)
    try:
        # subtle: the pristine labs after the merged ones, so that a second start after a kill finishes it.
        for name in sorted(changes, key=lambda name: (name.startswith(".labkit/"), name == MANIFEST)):
            write_atomically(folder / name, changes[name])
        for name in obsolete:
            (folder / name).unlink(missing_ok=True)
    except BaseException:  # Ctrl-C too
        _restore(folder, before)
        raise
    said.append(f"{len(changes)} files written, {len(obsolete)} removed; the old ones are in {backup}")
    return said


def _wanted(folder: Path, base: Mapping[str, str], release: Mapping[str, bytes], said: list[str]) -> Files:
    """The content that every file of the release is to have in ``folder``."""
    manifests = [name for name in release if _is_checkpoint(name) and name.endswith("/manifest.json")]
    kept = {name for manifest in manifests for name in _own_weights(folder, manifest, base, release)}
    wanted: Files = {}
    for name, content in release.items():
        current = _current(folder, name)
        if name.startswith("labs/") and current is not None:
            wanted[name] = _merged_lab(folder, name, content, said)
        elif name in manifests and current is not None:
            wanted[name] = _merged_checkpoints(content, current, kept, Path(name).parent.as_posix())
        elif name in kept and current is not None:
            said.append(f"{name}: your own, kept")
            wanted[name] = current
        else:
            own = current is not None and digest(current) not in (base.get(name), digest(content))
            if own and not name.startswith(".labkit/"):
                said.append(f"{name}: new version; yours is in the backup")
            wanted[name] = content
    return wanted


def _merged_lab(folder: Path, name: str, content: bytes, said: list[str]) -> bytes:
    """One notebook, merged."""
    pristine = folder / PRISTINE / Path(name).name
    theirs = structure.read_notebook(folder / name)
    new = nbformat.reads(content.decode(), as_version=4)
    base = structure.read_notebook(pristine) if pristine.is_file() else nbformat.v4.new_notebook()
    merged = merge(base, theirs, new)
    said += [f"{name}, cell {note}" for note in merged.notes]
    return to_bytes(merged.notebook)


def _own_weights(
    folder: Path, manifest: str, base: Mapping[str, str], release: Mapping[str, bytes]
) -> list[str]:
    """The weights that the student trained, as far as the release has files of the same names."""
    names = [name for name in release if name.startswith(f"{Path(manifest).parent.as_posix()}/")]
    entries = _entries(_current(folder, manifest))
    found = []
    for name in names:
        current = _current(folder, name)
        entry = entries.get(Path(name).stem, {})
        if (
            current is not None
            and digest(current) not in (base.get(name), digest(release[name]))
            and digest(current) == entry.get("sha256")  # a damaged file is replaced
        ):
            found.append(name)
    return found


def _merged_checkpoints(content: bytes, current: bytes, kept: set[str], folder: str) -> bytes:
    """The new manifest, with the student's entries for weights of their own."""
    new, theirs = _entries(content), _entries(current)
    own = {
        name: entry
        for name, entry in theirs.items()
        if name not in new or f"{folder}/{checkpoint_file(name, entry)}" in kept
    }
    if not own:
        return content
    merged = dict(sorted({**new, **own}.items()))
    return f"{json.dumps(merged, indent=1, ensure_ascii=False)}\n".encode()


def _entries(content: bytes | None) -> dict[str, dict[str, object]]:
    """The entries of a checkpoint manifest; none if it is missing or damaged."""
    try:
        entries = json.loads(content or b"{}")
    except ValueError:
        return {}
    return entries if isinstance(entries, dict) else {}


def _obsolete(folder: Path, base: Mapping[str, str], release: Mapping[str, bytes]) -> list[str]:
    """Files of the old release that the new one lacks and the student did not change."""
    # subtle: a lab that stays needs its pristine copy: the next update merges with it.
    kept = ("labs/", f"{PRISTINE}/")
    candidates = [name for name in base if name not in release and not name.startswith(kept)]
    current = {name: _current(folder, name) for name in candidates}
    return [
        name for name, content in current.items() if content is not None and digest(content) == base[name]
    ]


def _is_checkpoint(name: str) -> bool:
    return name.startswith("checkpoints/")


def _current(folder: Path, name: str) -> bytes | None:
    """The bytes of a file in the folder; None if there is none."""
    path = folder / name
    return path.read_bytes() if path.is_file() else None


def _back_up(folder: Path, before: Mapping[str, bytes | None]) -> Path:
    """Copy what will change to a new backup folder; it."""
    number = 1
    while (backup := folder / ".labkit" / f"backup-{number}").exists():
        number += 1
    for name, content in before.items():
        if content is not None:
            write_atomically(backup / name, content)
    backup.mkdir(parents=True, exist_ok=True)
    return backup


def _restore(folder: Path, before: Mapping[str, bytes | None]) -> None:
    """Put every file back as it was."""
    for name, content in before.items():
        if content is None:
            (folder / name).unlink(missing_ok=True)
        elif _current(folder, name) != content:
            write_atomically(folder / name, content)

"""The store of trained weights: one file per network, and a manifest that describes them all.

``checkpoints/<dataset>/<name>.safetensors``, or ``.lkc`` (docs/format.md) for large networks and
those mostly zero, beside ``checkpoints/<dataset>/manifest.json``. A file that does not match its recorded
SHA-256 is refused. Of some networks the repository ships the manifest's entry alone; their files lie in
``checkpoints/<dataset>/.local/``, which git ignores, on the machine that trained them. Leaves out: how
weights are trained (:mod:`labkit.recipes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from labkit import settings
from labkit.files import digest, write_atomically
from labkit.manifest import MANIFEST_FILE, FileFormat, manifest_bytes, parse_manifest, weights_file
from labkit.storage.state_dict import pack_state, unpack_state
from labkit.training.config import EpochRecord, records_from_json, records_to_json

__all__ = [
    "CheckpointError",
    "Entry",
    "FileFormat",
    "read_entry",
    "read_manifest",
    "read_weights",
    "write_checkpoint",
]


class CheckpointError(RuntimeError):
    """A checkpoint is missing, damaged or not what the manifest says; the message says how to fix it."""


@dataclass(frozen=True)
class Entry:
    """What the manifest records of one checkpoint; accuracies in per cent, losses in nats."""

    sha256: str
    size_bytes: int
    recipe: dict[str, object]
    recipe_hash: str
    validation_top1: float
    test_loss: float
    test_top1: float
    test_top5: float
    loss_prefix: list[float]
    seconds: float
    environment: dict[str, str]
    epochs: list[EpochRecord] = field(default_factory=list)
    format: FileFormat = "safetensors"  # also the file's suffix
    shipped: bool = True  # whether the repository holds the file, too
    # Of networks for images only, and of those trained since these two are recorded.
    nonzero_parameters: int | None = None
    correct: dict[str, str] | None = None  # by split, a bit for each image; labkit.recipes.records reads it


def manifest_path(dataset: str) -> Path:
    """Return the path of the manifest of ``dataset``."""
    return settings.checkpoint_dir() / dataset / MANIFEST_FILE


def weights_path(
    dataset: str, name: str, file_format: FileFormat = "safetensors", *, shipped: bool = True
) -> Path:
    """Return the path of the weights of checkpoint ``name``."""
    return settings.checkpoint_dir() / dataset / weights_file(name, file_format, shipped=shipped)


def read_manifest(dataset: str) -> dict[str, Entry]:
    """Read all entries for ``dataset``, by name; there are none where nothing was trained yet.

    Raises:
        CheckpointError: if the manifest is not the JSON this module writes.
    """
    path = manifest_path(dataset)
    if not path.is_file():
        return {}
    try:
        entries = parse_manifest(path.read_bytes())
        return {name: _from_json(entry.fields) for name, entry in entries.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is damaged ({error}); restore it with `git checkout {path}`."
        ) from error


def read_entry(dataset: str, name: str) -> Entry:
    """Read the manifest's entry for checkpoint ``name``.

    Raises:
        CheckpointError: if there is none.
    """
    entries = read_manifest(dataset)
    if name not in entries:
        raise CheckpointError(f"there is no checkpoint {name!r} for {dataset}; make it: {_remedy(name)}.")
    return entries[name]


def read_weights(dataset: str, name: str) -> dict[str, Tensor]:
    """Read the state dict of checkpoint ``name``, after checking the file against the manifest.

    Raises:
        CheckpointError: if the file is absent, truncated or changed.
    """
    entry = read_entry(dataset, name)
    path = weights_path(dataset, name, entry.format, shipped=entry.shipped)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        if not entry.shipped:
            raise CheckpointError(
                f"of {name} only the record is shipped (`recorded({name!r}, dataset)`), not the weights; "
                f"make them: {_remedy(name)}."
            ) from error
        raise CheckpointError(f"{path} is missing; rebuild it: {_remedy(name)}.") from error
    actual = digest(content)
    if actual != entry.sha256:
        raise CheckpointError(
            f"{path} is damaged: {len(content)} bytes with SHA-256 {actual[:12]}…, expected "
            f"{entry.size_bytes} bytes with {entry.sha256[:12]}…; rebuild it: {_remedy(name)}."
        )
    try:
        return _from_bytes(content, entry.format)
    except (SafetensorError, ValueError) as error:  # the manifest vouches for a file that nothing can read
        raise CheckpointError(f"{path} is damaged ({error}); rebuild it: {_remedy(name)}.") from error


def write_checkpoint(
    dataset: str,
    name: str,
    state: dict[str, Tensor],
    facts: dict[str, object],
    file_format: FileFormat = "safetensors",
    *,
    shipped: bool = True,
) -> Entry:
    """Store weights and their manifest entry; each file is replaced whole or not at all.

    Args:
        dataset: the data set's name.
        name: the checkpoint's name.
        state: the model's state dict.
        facts: the fields of :class:`Entry` besides ``sha256``, ``size_bytes``, ``format`` and ``shipped``.
        file_format: ``"lkc"`` takes fewer bytes where most weights are zero or shared; both are exact.
        shipped: False stores the file where git ignores it.

    Raises:
        CheckpointError: if the manifest is damaged; nothing is written then.
        OSError: if the disk is full.
    """
    content = _to_bytes(state, file_format)
    entry = Entry(
        digest(content),
        len(content),
        format=file_format,
        shipped=shipped,
        **facts,  # type: ignore[arg-type]
    )
    entries = {key: _as_json(value) for key, value in read_manifest(dataset).items()}
    entries[name] = _as_json(entry)
    path = weights_path(dataset, name, file_format, shipped=shipped)
    write_atomically(path, content)
    write_atomically(manifest_path(dataset), manifest_bytes(dict(sorted(entries.items()))))
    return entry


def _from_json(fields: Mapping[str, Any]) -> Entry:
    """Return the entry that :func:`_as_json` turned into ``fields``; foreign fields are refused."""
    return Entry(**{**fields, "epochs": records_from_json(fields["epochs"])})


def _as_json(entry: Entry) -> dict[str, object]:
    """Return the entry as the manifest holds it: ``shipped`` only where it is False, and nothing unknown."""
    row = {**asdict(entry), "epochs": records_to_json(entry.epochs)}
    if entry.shipped:
        del row["shipped"]
    return {key: value for key, value in row.items() if value is not None}


def _to_bytes(state: dict[str, Tensor], file_format: FileFormat) -> bytes:
    # Cloned because safetensors refuses tensors that share memory, as tied parameters do.
    tensors = {
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in state.items()
    }
    if file_format == "safetensors":
        return save(tensors)
    return pack_state(tensors)


def _from_bytes(content: bytes, file_format: FileFormat) -> dict[str, Tensor]:
    if file_format == "safetensors":
        return load(content)
    return unpack_state(content)


def _remedy(name: str) -> str:
    return f"`labkit train {name}`"

"""Sensitivity scans of shipped networks, stored beside their checkpoints, since a full scan takes minutes.

``checkpoints/<dataset>/<name>.scan.json`` holds two scans: one with the trained statistics of batch norm
and one with statistics estimated again after each cut. It names the weights that were scanned by their
SHA-256; if the checkpoint has changed since, the scan is made again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit import settings
from labkit.data import Dataset, Split
from labkit.environment import environment_stamp
from labkit.files import write_atomically
from labkit.manifest import scan_file
from labkit.pruning.allocation import SensitivityScan
from labkit.pruning.sensitivity import sensitivity_scan
from labkit.recipes.loading import fit_or_load, recorded

__all__ = ["SCANNED_LEVELS", "StoredScan", "make_scan", "scan_or_load"]

SCANNED_LEVELS = (0.0, 0.1, 0.2, 0.5, 0.7, 0.8, 0.9)
IMAGES = 1_000  # of the validation split
REESTIMATE_IMAGES = 256  # of the training split


@dataclass(frozen=True)
class StoredScan:
    """Two scans of one network, and how they were made.

    Attributes:
        stale: with the statistics of batch norm as they were trained.
        reestimated: with statistics estimated again before each evaluation.
        image_count: the first images of the validation split, on which both were measured.
        reestimate_images: training images for the statistics.
        sha256: of the checkpoint's file.
        seconds: that both scans took together.
        environment: versions and hardware.
    """

    stale: SensitivityScan
    reestimated: SensitivityScan
    image_count: int
    reestimate_images: int
    sha256: str
    seconds: float
    environment: Mapping[str, str]


def scan_or_load(name: str, dataset: Dataset) -> StoredScan:
    """Return the stored scan of checkpoint ``name``, or make and store it if it is missing or out of date.

    Raises:
        ValueError: if there is no recipe ``name``, or the stored file is damaged.
    """
    path = _path(name, dataset)
    if path.is_file():
        stored = _read(path)
        if stored.sha256 == recorded(name, dataset).sha256:
            return stored
    return make_scan(name, dataset)


def make_scan(
    name: str,
    dataset: Dataset,
    *,
    image_count: int = IMAGES,
    reestimate_images: int = REESTIMATE_IMAGES,
) -> StoredScan:
    """Scan checkpoint ``name`` in both ways and store the result; minutes for a full-width VGG16."""
    model, start = fit_or_load(name, dataset), time.perf_counter()
    held_out = dataset.validation
    split = Split(held_out.images[:image_count], held_out.labels[:image_count])
    stale, reestimated = (
        sensitivity_scan(model, dataset, split, sparsities=SCANNED_LEVELS, reestimate_images=images)
        for images in (0, reestimate_images)
    )
    scan = StoredScan(
        stale=stale,
        reestimated=reestimated,
        image_count=split.size,
        reestimate_images=reestimate_images,
        sha256=recorded(name, dataset).sha256,
        seconds=time.perf_counter() - start,
        environment=environment_stamp(),
    )
    write_atomically(_path(name, dataset), f"{json.dumps(asdict(scan), indent=1)}\n".encode())
    return scan


def _path(name: str, dataset: Dataset) -> Path:
    """The file of a scan, beside the checkpoint."""
    return settings.checkpoint_dir() / dataset.store / scan_file(name)


def _read(path: Path) -> StoredScan:
    """Read a stored scan; refuse a file that is not one."""
    try:
        fields = json.loads(path.read_bytes())
        for way in ("stale", "reestimated"):
            parts = fields[way]
            fields[way] = SensitivityScan(
                names=tuple(parts["names"]),
                sparsities=tuple(parts["sparsities"]),
                accuracies=tuple(map(tuple, parts["accuracies"])),
                losses=tuple(map(tuple, parts["losses"])),
            )
        return StoredScan(**fields)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); delete it, and it is made again.") from error

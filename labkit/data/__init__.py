"""Data sets: :func:`load_dataset` returns the 10- or 100-class set that ``$LABKIT_DATASET`` names.

``photodigits`` (default) is built offline and cached; ``cifar`` is downloaded, and normalized as
chenyaofo's networks need it if ``$LABKIT_WEIGHTS`` asks for those; ``folder:PATH`` reads your own images (a
relative path starts at the workbook's folder). The 52-class set is always photoletters.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

from labkit import settings
from labkit.data import photodigits, photoletters
from labkit.data.dataset import Dataset, Split, channel_statistics
from labkit.data.pasting import PARTS, ByteArray, checksum
from labkit.files import write_atomically

__all__ = ["Dataset", "Split", "load_dataset"]


def load_dataset(class_count: int) -> Dataset:
    """Load the data set with ``class_count`` classes of the family that ``$LABKIT_DATASET`` names.

    Args:
        class_count: 10 or 100, or 52 for photoletters, which is there for pre-training whatever the
            family; ignored for ``folder:PATH``, whose folders are the classes.

    Raises:
        ValueError: if the family or the number of classes is unknown, or a folder's layout is wrong.
        RuntimeError: if a download fails.
    """
    family = os.environ.get("LABKIT_DATASET", "photodigits")
    if class_count == len(photoletters.CLASSES):
        return _load_photoletters(settings.data_dir())
    if class_count not in (10, 100):
        raise ValueError(f"class_count must be 52 for photoletters, or 10 or 100, got {class_count}.")
    if family == "photodigits":
        return _load_photodigits(class_count, settings.data_dir())
    if family == "cifar":
        from labkit.data.cifar import load_cifar

        chosen = settings.external_weights()
        chenyaofo = chosen is not None and chosen.source == "chenyaofo"
        return load_cifar(class_count, settings.data_dir(), chenyaofo=chenyaofo)
    if family.startswith("folder:"):
        from labkit.data.folder import load_folder

        return load_folder(settings.home() / Path(family.removeprefix("folder:")).expanduser())
    raise ValueError(
        f"LABKIT_DATASET={family!r} is not a data set; set it to photodigits, cifar or folder:PATH."
    )


def _load_photodigits(class_count: int, root: Path) -> Dataset:
    """Load photodigits from its cache, or build it."""
    arrays = _load_or_build(
        root / f"photodigits{class_count}.safetensors",
        photodigits.SHA256[class_count],
        lambda: photodigits.build(class_count),
        "scikit-learn's digits or photographs, or Pillow's JPEG decoder,",
    )
    width = len(str(class_count - 1))
    classes = tuple(f"{label:0{width}d}" for label in range(class_count))
    return _as_dataset(f"photodigits{class_count}", arrays, classes)


def _load_photoletters(root: Path) -> Dataset:
    """Load photoletters from its cache, or build it."""
    arrays = _load_or_build(
        root / "photoletters52.safetensors",
        photoletters.SHA256,
        photoletters.build,
        "matplotlib's fonts, scikit-learn's photographs, or Pillow's JPEG decoder,",
    )
    return _as_dataset("photoletters52", arrays, photoletters.CLASSES)


def _load_or_build(
    cache: Path, expected: str, build: Callable[[], dict[str, ByteArray]], sources: str
) -> dict[str, ByteArray]:
    """Load the arrays of an embedded set; build and cache them if the cache is missing or damaged."""
    try:
        arrays = load_file(cache)
    except (FileNotFoundError, SafetensorError):
        arrays = {}
    if checksum(arrays) == expected:
        return arrays
    arrays = build()
    built = checksum(arrays)
    if built != expected:
        raise RuntimeError(
            f"{cache.stem} was built with SHA-256 {built}, expected {expected}: {sources} "
            "differ from the versions in constraints.txt; install those."
        )
    # subtle: safetensors writes an array's memory as it is, whatever its strides.
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_atomically(cache, to_bytes(arrays))
    return arrays


def _as_dataset(name: str, arrays: dict[str, ByteArray], classes: tuple[str, ...]) -> Dataset:
    """Turn the arrays of an embedded set into a data set whose images must not be mirrored."""
    parts = {
        part: Split(
            torch.from_numpy(arrays[f"{part}_images"]),
            torch.from_numpy(arrays[f"{part}_labels"]).long(),
        )
        for part in PARTS
    }
    mean, std = channel_statistics(parts["train"].images)
    return Dataset(name, **parts, classes=classes, mean=mean, std=std, flip=False)

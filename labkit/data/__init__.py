"""Data sets: :func:`load_dataset` returns the 10- or 100-class set that ``$LABKIT_DATASET`` names.

``photodigits`` (default) is built offline and cached; ``cifar`` is downloaded; ``folder:PATH`` reads your
own images (a relative path starts at the workbook's folder).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

from labkit import settings
from labkit.data import photodigits
from labkit.data.dataset import Dataset, Split, channel_statistics
from labkit.files import write_atomically

__all__ = ["Dataset", "Split", "load_dataset"]


def load_dataset(class_count: int) -> Dataset:
    """Load the data set with ``class_count`` classes of the family that ``$LABKIT_DATASET`` names.

    Args:
        class_count: 10 or 100; ignored for ``folder:PATH``, whose folders are the classes.

    Raises:
        ValueError: if the family or the number of classes is unknown, or a folder's layout is wrong.
        RuntimeError: if a download fails.
    """
    family = os.environ.get("LABKIT_DATASET", "photodigits")
    if class_count not in (10, 100):
        raise ValueError(f"class_count must be 10 or 100, got {class_count}.")
    if family == "photodigits":
        return _load_photodigits(class_count, settings.data_dir())
    if family == "cifar":
        from labkit.data.cifar import load_cifar

        return load_cifar(class_count, settings.data_dir())
    if family.startswith("folder:"):
        from labkit.data.folder import load_folder

        return load_folder(settings.home() / Path(family.removeprefix("folder:")).expanduser())
    raise ValueError(
        f"LABKIT_DATASET={family!r} is not a data set; set it to photodigits, cifar or folder:PATH."
    )


def _load_photodigits(class_count: int, root: Path) -> Dataset:
    """Load photodigits from its cache; build and cache it if the cache is missing or damaged."""
    cache = root / f"photodigits{class_count}.safetensors"
    expected = photodigits.SHA256[class_count]
    try:
        arrays = load_file(cache)
    except (FileNotFoundError, SafetensorError):
        arrays = {}
    if photodigits.checksum(arrays) != expected:
        arrays = photodigits.build(class_count)
        built = photodigits.checksum(arrays)
        if built != expected:
            raise RuntimeError(
                f"photodigits{class_count} was built with SHA-256 {built}, expected {expected}: "
                "scikit-learn's digits or photographs, or Pillow's JPEG decoder, differ from the "
                "versions in constraints.txt; install those."
            )
        # subtle: safetensors writes an array's memory as it is, whatever its strides.
        arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        write_atomically(cache, to_bytes(arrays))
    parts = {
        part: Split(
            torch.from_numpy(arrays[f"{part}_images"]),
            torch.from_numpy(arrays[f"{part}_labels"]).long(),
        )
        for part in photodigits.PARTS
    }
    mean, std = channel_statistics(parts["train"].images)
    width = len(str(class_count - 1))
    classes = tuple(f"{label:0{width}d}" for label in range(class_count))
    return Dataset(f"photodigits{class_count}", **parts, classes=classes, mean=mean, std=std, flip=False)

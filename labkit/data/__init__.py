"""Data sets: :func:`load_dataset` returns the 10- or 100-class set that ``$LABKIT_DATASET`` names.

``photodigits`` (default) is built offline and cached; ``cifar`` is downloaded, and normalized as
chenyaofo's networks need it if ``$LABKIT_WEIGHTS`` asks for those; ``folder:PATH`` reads your own images (a
relative path starts at the workbook's folder). The 52-class set is always photoletters.
``$LABKIT_BUDGET`` says how long networks train on data that are not embedded
(:func:`labkit.settings.budget`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

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

__all__ = ["Dataset", "Selection", "Split", "class_counts", "load_dataset", "prepare"]

FOLDER = "folder:"


def class_counts() -> tuple[int, ...]:
    """Return what :func:`load_dataset` takes for the chosen family: a folder of images has one set only."""
    return (10, 52) if _family().startswith(FOLDER) else (10, 52, 100)


def load_dataset(class_count: int) -> Dataset:
    """Load the data set with ``class_count`` classes of the family that ``$LABKIT_DATASET`` names.

    Args:
        class_count: 10 or 100, or 52 for photoletters, which is there for pre-training whatever the
            family. Of ``folder:PATH``, whose folders are the classes, 10 stands for any number of them.

    Raises:
        ValueError: if the family, the number of classes or the budget is unknown, a folder's layout is
            wrong, or 100 classes are asked for of a folder that has another number of them.
        DownloadError: if a download fails.
    """
    family, budget = _family(), settings.budget()
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
        return _with_budget(load_cifar(class_count, settings.data_dir(), chenyaofo=chenyaofo), budget)
    if family.startswith(FOLDER):
        from labkit.data.folder import load_folder

        dataset = load_folder(settings.home() / Path(family.removeprefix(FOLDER)).expanduser())
        if class_count not in (10, len(dataset.classes)):
            raise ValueError(
                f"{family} has {len(dataset.classes)} classes, but a set with {class_count} is asked for: "
                "labs 06 to 09 compare 10 and 100 classes. Run the other labs, or choose cifar or photodigits."
            )
        return _with_budget(dataset, budget)
    raise ValueError(
        f"LABKIT_DATASET={family!r} is not a data set; set it to photodigits, cifar or folder:PATH."
    )


class Selection(NamedTuple):
    """The chosen family as results name it: in headers, in folders, and with which budget."""

    title: str
    store: str
    budget: settings.Budget


def prepare() -> Selection:
    """Build, download or read each set of the chosen family before the labs do, and name the family.

    Raises:
        ValueError, DownloadError: as :func:`load_dataset` does.
    """
    sets = [load_dataset(count) for count in class_counts() if count != len(photoletters.CLASSES)]
    first = sets[0]
    name, title = {
        "embedded": ("photodigits", "photodigits"),
        "cifar": (first.name.replace("cifar10", "cifar"), first.title.replace("CIFAR-10", "CIFAR")),
        "folder": (first.name, first.title),
    }[first.family]
    return Selection(title, first.store.replace(first.name, name, 1), first.budget)


def _family() -> str:
    """Return the value of ``$LABKIT_DATASET``."""
    return os.environ.get("LABKIT_DATASET", "photodigits")


def _with_budget(dataset: Dataset, budget: settings.Budget) -> Dataset:
    """Return the data set with epochs as long as photodigits', unless the budget is full."""
    if budget == "full":
        return dataset
    class_count = 100 if len(dataset.classes) == 100 else 10
    return replace(dataset, budget=budget, epoch_images=photodigits.SIZES[class_count]["train"])


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
    return Dataset(
        name,
        parts["train"],
        parts["validation"],
        parts["test"],
        classes=classes,
        mean=mean,
        std=std,
        flip=False,
        title=name,
    )

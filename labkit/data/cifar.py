"""CIFAR-10 and CIFAR-100 through torchvision, which downloads them and checks their MD5 sums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torchvision.datasets import CIFAR10, CIFAR100

from labkit.data.dataset import Dataset, Split, channel_statistics, hold_out

__all__ = ["load_cifar"]


def load_cifar(class_count: int, root: Path) -> Dataset:
    """Load CIFAR-10 or CIFAR-100 from ``root``; download it if it is not there.

    Args:
        class_count: 10 or 100.
        root: folder of the download, such as ``data/``.

    Raises:
        ValueError: if ``class_count`` is neither 10 nor 100.
        RuntimeError: if the download fails or does not match its checksum.
    """
    sources = {10: CIFAR10, 100: CIFAR100}
    if class_count not in sources:
        raise ValueError(f"CIFAR has 10 or 100 classes, not {class_count}.")
    source, name = sources[class_count], f"cifar{class_count}"
    try:
        train = source(str(root), train=True, download=True)
        test = source(str(root), train=False, download=True)
    except (OSError, RuntimeError) as error:
        raise RuntimeError(
            f"{name} could not be downloaded to {root} ({error}). Check the network, or put "
            "torchvision's archive there yourself, or set LABKIT_DATASET=photodigits to work offline."
        ) from error
    kept, held = hold_out(_as_split(train), fraction=0.1, seed=0)
    mean, std = channel_statistics(kept.images)
    classes = tuple(train.classes)
    return Dataset(name, kept, held, _as_split(test), classes, mean, std, flip=True)


def _as_split(source: CIFAR10) -> Split:
    """Convert torchvision's ``(n, 32, 32, 3)`` array to ``(n, 3, 32, 32)``, with int64 labels."""
    images = torch.from_numpy(np.ascontiguousarray(source.data.transpose(0, 3, 1, 2)))
    return Split(images, torch.tensor(source.targets, dtype=torch.int64))

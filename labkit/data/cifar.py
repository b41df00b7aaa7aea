"""CIFAR-10 and CIFAR-100 through torchvision, whose MD5 sums they are checked against."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torchvision.datasets import CIFAR10, CIFAR100

from labkit.data.dataset import Dataset, Split, photographs
from labkit.data.download import DownloadError, download

__all__ = ["load_cifar"]

# Mean and standard deviation per channel with which chenyaofo trained, from the logs of those trainings
# (branch "logs" of chenyaofo/pytorch-cifar-models). The deviations for CIFAR-10 are smaller than those of
# all pixels together, which are about 0.25.
Triple = tuple[float, float, float]
CHENYAOFO_STATISTICS: dict[int, tuple[Triple, Triple]] = {
    10: ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    100: ((0.5070, 0.4865, 0.4409), (0.2673, 0.2564, 0.2761)),
}


def load_cifar(class_count: int, root: Path, *, chenyaofo: bool = False) -> Dataset:
    """Load CIFAR-10 or CIFAR-100 from ``root``; download it if it is not there.

    An interrupted download continues where it stopped. The statistics are those of the 45,000 images that
    are trained on; the other 5,000 are held out for validation.

    Args:
        class_count: 10 or 100.
        root: folder of the download, such as ``data/``.
        chenyaofo: whether images are normalized by the statistics that chenyaofo's networks were trained
            with. Those networks saw all 50,000 training images, so their accuracy on ``validation`` is
            one on training images. The set then has another name and title, so checkpoints and results
            have other folders and no page takes the one for the other.

    Raises:
        ValueError: if ``class_count`` is neither 10 nor 100.
        DownloadError: if the download fails or does not match its checksum.
    """
    sources = {10: CIFAR10, 100: CIFAR100}
    if class_count not in sources:
        raise ValueError(f"CIFAR has 10 or 100 classes, not {class_count}.")
    source, title = sources[class_count], f"CIFAR-{class_count}"
    try:
        train, test = _read_or_download(source, root)
    except (OSError, RuntimeError) as error:
        raise DownloadError(
            f"{title} is not on this computer, and the download to {root} failed: {error}. Check the "
            f"network and try again; or put {source.filename} there yourself; or set "
            "LABKIT_DATASET=photodigits to work offline."
        ) from None
    name, parts, classes = f"cifar{class_count}", (_as_split(train), _as_split(test)), tuple(train.classes)
    dataset = photographs(name, *parts, classes=classes, family="cifar", title=title)
    if not chenyaofo:
        return dataset
    mean, std = CHENYAOFO_STATISTICS[class_count]
    title = f"{title} with chenyaofo's networks"
    return replace(dataset, name=f"{name}-chenyaofo", title=title, mean=mean, std=std)


def _read_or_download(source: type[CIFAR10], root: Path) -> tuple[CIFAR10, CIFAR10]:
    """Return the training and the test images."""
    try:
        return source(str(root), train=True), source(str(root), train=False)
    except RuntimeError:  # files are missing or damaged
        download(source.url, root / source.filename, source.tgz_md5)
        return source(str(root), train=True, download=True), source(str(root), train=False)


def _as_split(source: CIFAR10) -> Split:
    """Convert torchvision's ``(n, 32, 32, 3)`` array to ``(n, 3, 32, 32)``, with int64 labels."""
    images = torch.from_numpy(np.ascontiguousarray(source.data.transpose(0, 3, 1, 2)))
    return Split(images, torch.tensor(source.targets, dtype=torch.int64))

"""The type of every data set: three splits of uint8 images held in memory."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from labkit.settings import Budget

__all__ = [
    "Dataset",
    "Family",
    "Split",
    "channel_statistics",
    "hold_out",
    "images_per_class",
    "photographs",
]

IMAGE_SHAPE = (3, 32, 32)

Family = Literal["embedded", "cifar", "folder"]


class Split(NamedTuple):
    """Images ``(n, 3, 32, 32)`` uint8 and their labels ``(n,)`` int64."""

    images: Tensor
    labels: Tensor

    @property
    def size(self) -> int:
        """The number of images."""
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """An image-classification data set in memory.

    ``train`` is for gradients; ``validation`` was held out of the training images and is for every
    choice; ``test`` is read once, for the number that is reported.
    ``mean`` and ``std`` are per channel, on the 0–1 scale, from ``train`` alone.
    ``flip`` says whether a mirrored image keeps its label.

    ``family`` says where the images come from. Outside of the embedded sets ``budget`` says how long
    networks are trained, and ``title`` is the name that pages of results show. An epoch of training
    draws ``epoch_images`` of the training images at random, or takes all of them if it is None.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    flip: bool
    family: Family = "embedded"
    title: str = ""
    budget: Budget = "full"
    epoch_images: int | None = None

    @property
    def images_per_epoch(self) -> int:
        """How many training images an epoch has."""
        return self.train.size if self.epoch_images is None else min(self.epoch_images, self.train.size)

    @property
    def store(self) -> str:
        """The name of the folders of its checkpoints and results: one for each budget.

        >>> from labkit import data
        >>> data.load_dataset(10).store
        'photodigits10'
        """
        return self.name if self.budget == "full" else f"{self.name}-{self.budget}"

    def __post_init__(self) -> None:
        """Refuse splits that are not images with labels in range, or that cannot be normalized."""
        for part in ("train", "validation", "test"):
            _require_valid(getattr(self, part), f"{self.name} {part}", len(self.classes))
        if min(self.std) <= 0:
            raise ValueError(
                f"{self.name}: a channel has the same value in all training images; std {self.std}."
            )


def channel_statistics(images: Tensor) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return mean and standard deviation of each channel of uint8 images, on the 0–1 scale.

    Computed from exact integer sums, so the result does not depend on the machine.

    Args:
        images: ``(n, 3, h, w)`` uint8.

    Returns:
        Two triples, rounded to four decimals.
    """
    means, stds = [], []
    for channel in range(3):
        counts = torch.bincount(images[:, channel].flatten().long(), minlength=256)
        values = torch.arange(256)
        total, first, second = (int((counts * values**power).sum()) for power in (0, 1, 2))
        mean = first / total
        means.append(round(mean / 255, 4))
        stds.append(round(max(second / total - mean**2, 0.0) ** 0.5 / 255, 4))
    return (means[0], means[1], means[2]), (stds[0], stds[1], stds[2])


def hold_out(split: Split, *, fraction: float, seed: int) -> tuple[Split, Split]:
    """Divide ``split`` at random; return the part kept and the part held out for validation.

    Args:
        split: at least two images.
        fraction: share held out, rounded to whole images, at least one.
        seed: decides which images.

    Raises:
        ValueError: if there are too few images for one in each part.
    """
    held = max(1, round(fraction * split.size))
    if not 0 < held < split.size:
        raise ValueError(f"cannot hold out {held} of {split.size} training images; add images.")
    order = torch.randperm(split.size, generator=torch.Generator().manual_seed(operator.index(seed)))
    kept_rows, held_rows = order[held:].sort().values, order[:held].sort().values
    kept = Split(split.images[kept_rows], split.labels[kept_rows])
    return kept, Split(split.images[held_rows], split.labels[held_rows])


def photographs(
    name: str, train: Split, test: Split, *, classes: tuple[str, ...], family: Family, title: str
) -> Dataset:
    """Return a data set of photographs, a tenth of whose training images are held out for validation.

    The statistics are those of the others, and a mirrored image keeps its label.
    """
    kept, held = hold_out(train, fraction=0.1, seed=0)
    mean, std = channel_statistics(kept.images)
    return Dataset(name, kept, held, test, classes, mean, std, flip=True, family=family, title=title)


def images_per_class(dataset: Dataset, count: int, *, seed: int) -> Dataset:
    """Return ``dataset`` with ``count`` training images of each class, in their order.

    Validation, test and the channel statistics stay, so networks trained on more or fewer images see the
    same inputs. With one seed the images of a smaller count are among those of a larger one.

    Args:
        dataset: has at least ``count`` training images of each class.
        count: at least 1.
        seed: decides which images.

    Raises:
        ValueError: if a class has fewer images.
    """
    generator = torch.Generator().manual_seed(operator.index(seed))
    order = torch.randperm(dataset.train.size, generator=generator)
    labels = dataset.train.labels[order]
    rows = [order[labels == label][:count] for label in range(len(dataset.classes))]
    fewest = min(len(chosen) for chosen in rows)
    if not 1 <= count <= fewest:
        raise ValueError(
            f"{dataset.name}: count must be from 1 to {fewest}, the training images of its smallest class, "
            f"got {count}; add images of that class, or choose another data set."
        )
    chosen = torch.cat(rows).sort().values
    return replace(dataset, train=Split(dataset.train.images[chosen], dataset.train.labels[chosen]))


def _require_valid(split: Split, what: str, class_count: int) -> None:
    """Raise ValueError unless ``split`` holds images of the right shape with labels in range."""
    images, labels = split
    if images.dtype != torch.uint8 or images.ndim != 4 or tuple(images.shape[1:]) != IMAGE_SHAPE:
        raise ValueError(
            f"{what}: images must be uint8 of shape (n, 3, 32, 32), "
            f"got {images.dtype} {tuple(images.shape)}."
        )
    if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"{what}: labels must be int64 of shape ({len(images)},), "
            f"got {labels.dtype} {tuple(labels.shape)}."
        )
    if not len(labels):
        raise ValueError(f"{what}: no images; every split needs at least one.")
    if int(labels.min()) < 0 or int(labels.max()) >= class_count:
        raise ValueError(
            f"{what}: labels must lie in [0, {class_count}), "
            f"got {int(labels.min())} to {int(labels.max())}."
        )

"""What live training in a notebook needs: short epochs, batches or a callback that show progress, a fast forward pass.

Leaves out: the project's own loop (:mod:`labkit.training.loop`), which made the checkpoints.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from labkit import settings
from labkit.data import Dataset
from labkit.data.augment import normalize
from labkit.data.batches import batch_sizes
from labkit.training.config import TrainConfig
from labkit.training.loop import Callback, augmented_batches, mixed_precision, to_training_layout

__all__ = ["EpochDots", "fast_forward", "for_live_training", "training_batches"]

TENTHS = 10


def for_live_training(dataset: Dataset, images: int = 3_000) -> Dataset:
    """Return ``dataset`` with epochs of at most ``images`` training images, for cells that somebody waits for.

    Each epoch draws its images anew. Epochs that are shorter already stay as they are, and so do those of
    a downloaded data set with ``LABKIT_BUDGET=full``, which asks for whole ones.

    >>> from labkit import data
    >>> for_live_training(data.load_dataset(10)).images_per_epoch
    3000
    """
    if dataset.family != "embedded" and dataset.budget == "full":
        return dataset
    return replace(dataset, epoch_images=min(images, dataset.images_per_epoch))


def training_batches(
    dataset: Dataset, *, batch_size: int = 128, seed: int = 0, label: str = ""
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch of the training split: normalized, augmented images and their labels.

    Args:
        dataset: its training split is shuffled and augmented by shifts, and by flips where labels allow.
        batch_size: images per batch.
        seed: of the order and the augmentation; take another one for each epoch.
        label: if it is not empty, a line on stdout begins with it and shows the time that the epoch
            will take and one dot per tenth of it that is done.

    Yields:
        inputs ``(n, 3, h, w)`` float32 and labels ``(n,)`` int64, on the device in use.
    """
    device, generator = settings.choose_device(), torch.Generator().manual_seed(seed)
    progress = _Progress(label, len(batch_sizes(dataset.images_per_epoch, batch_size)))
    for images, labels in augmented_batches(dataset, batch_size, generator, device):
        yield normalize(images, dataset.mean, dataset.std), labels
        progress.step()


@contextmanager
def fast_forward(model: nn.Module) -> Iterator[None]:
    """Within the block the forward pass of ``model`` uses bf16 where the hardware computes it fast.

    Its weights and its outputs stay float32, so a training loop needs no change. ``model`` moves to the
    device in use and, if it is a network for images, to the memory layout that is fastest there.
    """
    to_training_layout(model)
    forward = model.forward

    def autocast_forward(inputs: Tensor) -> Tensor:
        with mixed_precision(inputs):
            outputs: Tensor = forward(inputs)
        return outputs.to(inputs.dtype)

    model.forward = autocast_forward
    try:
        yield
    finally:
        del model.forward


class EpochDots(Callback):
    """Shows the progress of :func:`labkit.training.fit`, a line per epoch as :func:`training_batches` does."""

    def __init__(self, label: str, dataset: Dataset, config: TrainConfig) -> None:
        """Begin each line with ``label``; ``dataset`` and ``config`` are those of the training.

        If there are several epochs, the line also says which of them it is.
        """
        self._label, self._epochs = label, config.epochs
        self._steps = len(batch_sizes(dataset.images_per_epoch, config.batch_size))
        self._progress = _Progress("", self._steps)

    def before_epoch(self, model: nn.Module, epoch: int) -> None:  # noqa: ARG002
        """Begin the line of ``epoch`` (counted from 0)."""
        number = f", epoch {epoch + 1} of {self._epochs}" if self._label and self._epochs > 1 else ""
        self._progress = _Progress(self._label + number, self._steps)

    def after_step(self, model: nn.Module) -> None:  # noqa: ARG002
        """Print a dot for each tenth of the epoch."""
        self._progress.step()


class _Progress:
    """Prints ``label (about 12 s) ·········· 11 s``, one dot per tenth; silent if ``label`` is empty."""

    def __init__(self, label: str, steps: int) -> None:
        self.label, self.steps, self.done = label, steps, 0
        self.start = time.perf_counter()
        self._print(label)

    def step(self) -> None:
        """Note that another step is done."""
        before, self.done = self.done * TENTHS // self.steps, self.done + 1
        seconds = time.perf_counter() - self.start
        if before == 0 and self.done * TENTHS >= self.steps:
            self._print(f" (about {seconds * self.steps / self.done:.0f} s) ")
        self._print("·" * (self.done * TENTHS // self.steps - before))
        if self.done == self.steps:
            self._print(f" {seconds:.0f} s\n")

    def _print(self, text: str) -> None:
        if self.label:
            print(text, end="", flush=True)  # noqa: T201

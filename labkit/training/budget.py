"""A limited number of epochs, for exercises in which a strategy counts and not patience.

Epochs mean the same on every machine; seconds do not. Leaves out: the loop (:mod:`labkit.training.loop`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import nn

from labkit.data import Dataset
from labkit.training.config import EpochRecord, TrainConfig
from labkit.training.distillation import Distiller
from labkit.training.loop import Callback, fit

__all__ = ["TrainingBudget"]

BeforeEpoch = Callable[[nn.Module, int], object]
AfterStep = Callable[[nn.Module], object]


class TrainingBudget:
    """Trains networks on one data set, for at most ``epochs`` epochs in all calls together.

    Attributes:
        epochs_left: how many epochs remain.
        calls: for each call of :meth:`train` its hyperparameters and the records of its epochs.

    Args:
        dataset: its training split is trained on.
        epochs: at least 1.
        batch_size: images per step.
        seed: of the order of the images and of their augmentation; each call draws anew.
        progress: whether to print a line per epoch, with the time that is left.

    Raises:
        ValueError: if ``epochs`` is below 1.

    >>> from labkit import data
    >>> budget = TrainingBudget(data.load_dataset(10), epochs=6)
    >>> budget.epochs_left
    6
    """

    def __init__(
        self, dataset: Dataset, epochs: int, *, batch_size: int = 128, seed: int = 0, progress: bool = False
    ) -> None:
        if epochs < 1:
            raise ValueError(f"a budget has at least 1 epoch, got {epochs}.")
        self.epochs_left = epochs
        self.calls: list[tuple[TrainConfig, list[EpochRecord]]] = []
        self._dataset, self._batch_size, self._seed, self._progress = dataset, batch_size, seed, progress

    def train(
        self,
        model: nn.Module,
        epochs: int,
        *,
        peak_lr: float,
        before_epoch: BeforeEpoch | None = None,
        after_step: AfterStep | None = None,
        teacher: nn.Module | None = None,
    ) -> None:
        """Train ``model`` in place by SGD with Nesterov momentum 0.9 and weight decay 5e-4.

        The learning rate rises to its peak in the first tenth of the steps, and falls along a cosine.

        Args:
            model: moved to the device that ``$LABKIT_DEVICE`` chooses.
            epochs: at least 1, at most ``epochs_left``.
            peak_lr: the largest learning rate.
            before_epoch: called with the model and the epoch, counted from 0 in each call of ``train``,
                before the epoch's first step.
            after_step: called with the model after every optimizer step.
            teacher: a network whose outputs the model also learns to match (weight 0.9, temperature 4);
                the teacher itself stays as it is.

        Raises:
            ValueError: if more epochs are asked for than are left; then nothing is trained.
        """
        if epochs > self.epochs_left:
            raise ValueError(f"{epochs} epochs were asked for, but only {self.epochs_left} are left.")
        config = TrainConfig(
            epochs, self._batch_size, peak_lr, warmup=0.1, seed=10 * self._seed + len(self.calls)
        )
        hooks = _Hooks(before_epoch, after_step, epochs if self._progress else 0)
        callback: Callback = hooks
        if teacher is not None:
            callback = Distiller(teacher, weight=0.9, temperature=4.0, inner=hooks)
        self.epochs_left -= epochs
        records = fit(model, self._dataset, config, callback=callback, progress=False)
        self.calls.append((config, records))
        if self._progress:
            accuracy = f"{records[-1].validation_top1:.1f} % on validation data"
            left = _epochs(self.epochs_left)
            print(f"trained {_epochs(epochs)}: {accuracy}; {left} left")  # noqa: T201


def _epochs(count: int) -> str:
    return f"{count} epoch{'' if count == 1 else 's'}"


class _Hooks(Callback):
    """Two functions as a callback; prints a line before each of ``shown`` epochs."""

    def __init__(self, before_epoch: BeforeEpoch | None, after_step: AfterStep | None, shown: int) -> None:
        self._before_epoch, self._after_step = before_epoch, after_step
        self._shown, self._start = shown, 0.0

    def before_epoch(self, model: nn.Module, epoch: int) -> None:
        """Tell the progress; call the first function."""
        now = time.perf_counter()
        if self._shown:
            seconds = (now - self._start) / max(1, epoch)
            left = f", about {seconds * (self._shown - epoch):.0f} s to go" if epoch else ""
            print(f"epoch {epoch + 1} of {self._shown}{left}", flush=True)  # noqa: T201
        self._start = self._start if epoch else now
        if self._before_epoch is not None:
            self._before_epoch(model, epoch)

    def after_step(self, model: nn.Module) -> None:
        """Call the second function."""
        if self._after_step is not None:
            self._after_step(model)

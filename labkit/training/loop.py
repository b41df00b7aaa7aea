"""The training loop: SGD over a data set held in memory, resumable after any epoch.

On hardware with bf16 it runs under autocast with channels-last tensors, about twice as fast on a laptop
CPU. On a GPU the images of an epoch lie in its memory, and a step never waits for it: losses are read once
in 50 steps and at the end of an epoch. What is trained is in labkit.recipes, where weights are stored in
labkit.storage.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from labkit import settings
from labkit.data import Dataset, Split
from labkit.data.augment import normalize, random_crop, random_flip
from labkit.data.batches import batch_sizes
from labkit.environment import has_fast_bf16, keep_random_state
from labkit.models import device_and_dtype, keep_modes, total_sparsity
from labkit.models.inputs import can_read_at_once
from labkit.training.config import Cut, EpochRecord, TrainConfig
from labkit.training.distributed import ALONE, Workers, current_workers, sum_over_workers
from labkit.training.evaluate import evaluate
from labkit.training.run_state import restore_state, save_state

__all__ = [
    "Callback",
    "augmented_batches",
    "fit",
    "judged_by",
    "loss_prefix",
    "mixed_precision",
    "prepare_optimizer",
    "run_epoch",
    "to_training_layout",
    "training_modes",
]


LOSS_CHECK_STEPS = 50  # how many steps a GPU takes before it is asked whether the loss is finite
EPOCH_VALIDATION = 1_000  # images after each epoch but the last, where epochs are shortened


class Callback:
    """Hooks by which a method acts on training; those of the base class change nothing."""

    def before_epoch(self, model: nn.Module, epoch: int) -> None:
        """Called before the first step of ``epoch`` (counted from 0)."""

    def after_step(self, model: nn.Module) -> None:
        """Called after every optimizer step."""

    def loss(self, inputs: Tensor, logits: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG002
        """Return the loss of a step: cross-entropy. ``inputs`` are the normalized images of ``logits``."""
        return functional.cross_entropy(logits, labels)

    def constant_rate(self) -> float | None:
        """Return the learning rate of an epoch that comes before the schedule; None: it is scheduled.

        Asked once in each epoch, after :meth:`before_epoch`. The epochs before the schedule are added to
        those of the configuration, so the schedule is complete however many there are.
        """
        return None

    def cuts(self) -> tuple[Cut, ...]:
        """Return what was pruned in this epoch, as far as it was measured."""
        return ()


class _Step(NamedTuple):
    """The results of one optimizer step: the loss, and how many images of the batch were right before it.

    Both are on the device; whoever reads them waits for it.
    """

    loss: Tensor
    hits: Tensor


def mixed_precision(inputs: Tensor) -> torch.autocast:
    """Return the autocast context: bf16 for float32 inputs if the hardware has it, else disabled."""
    enabled = inputs.dtype == torch.float32 and has_fast_bf16(inputs.device)
    return torch.autocast(inputs.device.type, torch.bfloat16, enabled=enabled)


def to_training_layout(model: nn.Module) -> nn.Module:
    """Move ``model`` in place to the chosen device, with channels last unless it convolves volumes."""
    model.to(settings.choose_device())
    if all(parameter.ndim < 5 for parameter in model.parameters()):  # torch has another layout for those
        model.to(memory_format=torch.channels_last)
    return model


@keep_random_state()
def fit(
    model: nn.Module,
    dataset: Dataset,
    config: TrainConfig,
    *,
    callback: Callback | None = None,
    resume: Path | None = None,
    progress: bool = True,
) -> list[EpochRecord]:
    """Train ``model`` in place on ``dataset.train``; validation accuracy is recorded but not used.

    All modules train, also those that are in evaluation mode. Afterwards, even if an exception ends the
    training, each is in the mode it was in; gradients and the global generators are as they were, too.

    Args:
        model: moved to the device that ``$LABKIT_DEVICE`` chooses.
        dataset: its training split is augmented by shifts, and by flips where labels allow. If it has
            ``epoch_images``, an epoch draws so many at random, and all its epochs but the last are judged
            by the first 1,000 validation images.
        config: the hyperparameters.
        callback: acts before each epoch and after each step, for example to keep pruned weights at 0.
        resume: a file to which the state is written after each epoch; training continues from it if
            it exists.
        progress: whether to show a progress bar, with the time left, on stderr.

    Returns:
        One record per epoch, including those before an interruption: ``config.epochs``, and before them
        those for which ``callback`` has a constant rate.

    Raises:
        FloatingPointError: if the loss becomes NaN or infinite.
        ValueError: if ``model`` has nothing to train; if ``resume`` is damaged, or holds the state of
            another model, ``config`` or data set. The message names what differs, and the model stays as
            it is.
    """
    callback = callback or Callback()
    optimizer, records, workers = prepare_optimizer(model, config), list[EpochRecord](), current_workers()
    sizes = batch_sizes(dataset.images_per_epoch, config.batch_size)
    workers.require_images(min(sizes))
    if resume is not None and resume.is_file():
        records = restore_state(resume, model, optimizer, config, dataset)
    lead = sum(record.lead for record in records)
    left = (config.epochs - (len(records) - lead)) * len(sizes)
    hidden = not (progress and workers.is_first)
    with training_modes(model), tqdm(total=left, unit="step", mininterval=1, disable=hidden) as bar:
        while (epoch := len(records)) < lead + config.epochs:
            start = time.perf_counter()
            callback.before_epoch(model, epoch)
            rate = callback.constant_rate()
            lead += rate is not None
            rates = _epoch_rates(epoch - lead, dataset, config, rate)
            number = f"epoch {epoch - lead + 1} of {config.epochs}"
            bar.set_description(number if rate is None else "before the schedule", refresh=False)
            steps = []
            for step in run_epoch(
                model, dataset, config, optimizer, callback, epoch, rates, workers=workers
            ):
                steps.append(step)
                bar.update(rate is None)
            losses, hits = _read_steps(steps, epoch)
            result = evaluate(model, dataset, judged_by(dataset, last=epoch + 1 == lead + config.epochs))
            mean, seconds = sum(losses) / len(losses), time.perf_counter() - start
            sparsity, cuts = total_sparsity(model), callback.cuts()
            train_top1 = 100 * sum(hits) / dataset.images_per_epoch
            records.append(
                EpochRecord(
                    epoch,
                    mean,
                    result.loss,
                    result.top1,
                    sparsity,
                    seconds,
                    rate is not None,
                    cuts,
                    train_top1,
                )
            )
            bar.set_postfix(loss=f"{mean:.3f}", validation=f"{result.top1:.1f} %", refresh=False)
            if resume is not None and workers.is_first:
                save_state(resume, model, optimizer, records, config, dataset)
    return records


@keep_random_state()
def loss_prefix(
    model: nn.Module,
    dataset: Dataset,
    config: TrainConfig,
    *,
    callback: Callback | None = None,
    steps: int = 4,
    images: int = 16,
) -> list[float]:
    """Compute the losses of the first steps of :func:`fit` in float64, on the first images of each batch.

    In float64, another processor or number of threads changes these losses by less than one part in a
    billion, even where training is discontinuous (rounding to 2 bits, shared values). So a comparison
    with a small tolerance detects any change of recipe, code or data. Order, augmentation, rates,
    optimizer and callback are those of :func:`fit`.

    Args:
        model: trained in place for these steps, and left in float64. What ``callback`` does before
            the first step, such as pruning, happens in the model's original precision.
        dataset: as for :func:`fit`.
        config: the hyperparameters.
        callback: as for :func:`fit`.
        steps: how many steps, at most one epoch.
        images: how many images of each batch, at least 2; all if there are fewer.
    """
    callback = callback or Callback()
    callback.before_epoch(model.to(settings.choose_device()), 0)
    optimizer = prepare_optimizer(model.double(), config)
    rates = _epoch_rates(0, dataset, config, callback.constant_rate())
    with training_modes(model):
        epoch = run_epoch(model, dataset, config, optimizer, callback, 0, rates, images=images)
        return [step.loss.item() for step in islice(epoch, steps)]


def judged_by(dataset: Dataset, *, last: bool) -> Split:
    """Return the validation images for the record of an epoch: a sample where epochs are shortened."""
    if last or dataset.epoch_images is None:
        return dataset.validation
    images, labels = dataset.validation
    return Split(images[:EPOCH_VALIDATION], labels[:EPOCH_VALIDATION])


def prepare_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.SGD:
    """Move the model to its device and layout; return its optimizer."""
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(
            f"the {type(model).__name__} has no parameter that requires a gradient, so nothing can be trained."
        )
    to_training_layout(model)
    return torch.optim.SGD(
        model.parameters(),
        lr=config.peak_lr,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=config.momentum > 0,
    )


def _epoch_rates(
    epoch: int, dataset: Dataset, config: TrainConfig, constant_rate: float | None
) -> list[float]:
    """Return the learning rate of each step of the schedule's ``epoch``, unless it is constant."""
    steps = len(batch_sizes(dataset.images_per_epoch, config.batch_size))
    if constant_rate is not None:
        return [constant_rate] * steps
    return [config.learning_rate(epoch * steps + step, config.epochs * steps) for step in range(steps)]


@contextmanager
def training_modes(model: nn.Module) -> Iterator[None]:
    """Compute gradients in the block; afterwards each mode and each parameter's gradient is as it was."""
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    try:
        with keep_modes(model), torch.enable_grad():
            yield
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient


def run_epoch(  # noqa: PLR0913
    model: nn.Module,
    dataset: Dataset,
    config: TrainConfig,
    optimizer: torch.optim.SGD,
    callback: Callback,
    epoch: int,
    rates: Sequence[float],
    *,
    images: int | None = None,
    workers: Workers = ALONE,
) -> Iterator[_Step]:
    """Take the optimizer steps of one epoch, at ``rates``, and yield their results.

    ``images`` shortens each batch; with other ``workers`` the results are this process's part of the mean
    loss and of the right images.
    """
    device, dtype = device_and_dtype(model)
    # subtle: seeds depend on the epoch, so a resumed run draws what an uninterrupted one would; the
    # second is for dropout, which draws from the global generator.
    generator = torch.Generator().manual_seed(config.seed * 1_000 + epoch)
    torch.manual_seed(config.seed * 1_000 + epoch + workers.rank * 1_000_003)
    model.train()
    network = workers.parallel(model)
    batches = augmented_batches(dataset, config.batch_size, generator, device)
    for step, (batch, labels) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = rates[step]
        targets = workers.share(labels[:images])
        inputs = normalize(workers.share(batch[:images]), dataset.mean, dataset.std).to(dtype)
        with mixed_precision(inputs):
            logits = network(inputs)
        loss = callback.loss(inputs, logits.to(inputs.dtype), targets)
        if can_read_at_once(loss) or step % LOSS_CHECK_STEPS == LOSS_CHECK_STEPS - 1:
            _require_finite(loss.item(), epoch, step)
        if workers.count > 1:
            loss = loss * (len(targets) / len(labels[:images]))
        optimizer.zero_grad()
        # subtle: the mean of the gradients over the processes must be the gradient of the sum of their losses.
        (loss * workers.count if workers.count > 1 else loss).backward()
        optimizer.step()
        callback.after_step(model)
        yield _Step(loss.detach(), (logits.argmax(1) == targets).sum())


def _read_steps(steps: Sequence[_Step], epoch: int) -> tuple[list[float], list[int]]:
    """Return the losses and the numbers of right images of an epoch's steps, read from the device at once."""
    losses = sum_over_workers(torch.stack([step.loss for step in steps])).tolist()
    for step, loss in enumerate(losses):
        _require_finite(loss, epoch, step)
    return losses, sum_over_workers(torch.stack([step.hits for step in steps])).tolist()


def _require_finite(loss: float, epoch: int, step: int) -> None:
    """Raise FloatingPointError if a loss is NaN or infinite."""
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"loss is {loss} at epoch {epoch}, step {step}; lower peak_lr or add warm-up."
        )


def augmented_batches(
    dataset: Dataset, batch_size: int, generator: torch.Generator, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield augmented batches of one epoch of the training split, in a random order, made on ``device``."""
    images, labels = (part.to(device) for part in dataset.train)
    order = torch.randperm(dataset.train.size, generator=generator)[: dataset.images_per_epoch].to(device)
    for rows in order.split(batch_sizes(len(order), batch_size)):
        batch = random_crop(images[rows], generator)
        if dataset.flip:
            batch = random_flip(batch, generator)
        yield batch, labels[rows]

"""Training of transformers on batches of tokens: AdamW, a linear warm-up, then a cosine to zero.

Leaves out: which batches (:mod:`labkit.recipes.sequences`), and training on images
(:mod:`labkit.training.loop`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from labkit import settings
from labkit.environment import keep_random_state
from labkit.models import device_and_dtype, evaluation_mode, keep_modes
from labkit.models.inputs import can_read_at_once
from labkit.training.config import EpochRecord, require_trainable
from labkit.training.evaluate import Evaluation, summed_loss, top_k_hits
from labkit.training.loop import LOSS_CHECK_STEPS
from labkit.training.schedules import WarmupCosine

__all__ = [
    "IGNORED",
    "SequenceConfig",
    "TokenBatch",
    "evaluate_sequences",
    "fit_sequences",
    "sequence_loss_prefix",
]

IGNORED = -100  # a target that is not predicted: cross_entropy leaves it out

# What a model is called with, each (n, m) int64, and the token to predict at each position, (n, m).
TokenBatch = tuple[tuple[Tensor, ...], Tensor]


@dataclass(frozen=True)
class SequenceConfig:
    """The hyperparameters of a training on sequences."""

    steps: int = 2000
    batch_size: int = 128
    peak_lr: float = 2e-3
    warmup: float = 0.1  # share of all steps with a linearly rising rate; then a cosine to 0
    weight_decay: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that cannot train."""
        require_trainable(self, {"steps": 1, "batch_size": 1, "seed": 0})


@keep_random_state()
def fit_sequences(
    model: nn.Module,
    batches: Iterable[TokenBatch],
    config: SequenceConfig,
    *,
    evaluate: Callable[[nn.Module], Evaluation],
    records: int = 10,
    progress: bool = True,
) -> list[EpochRecord]:
    """Train ``model`` in place; its mode afterwards is the one it was in.

    Args:
        model: moved to the device that ``$LABKIT_DEVICE`` chooses.
        batches: at least ``config.steps`` of them.
        config: the hyperparameters.
        evaluate: called after each tenth of the steps, for the record.
        records: how often that is.
        progress: whether to show a progress bar on stderr.

    Returns:
        One record per tenth, as if it were an epoch.

    Raises:
        FloatingPointError: if the loss becomes NaN or infinite.
        ValueError: if there are fewer batches than steps.
    """
    model.to(settings.choose_device())
    result: list[EpochRecord] = []
    losses: list[Tensor] = []
    ends = {round(config.steps * (index + 1) / records) for index in range(records)}
    start, step = time.perf_counter(), 0
    with keep_modes(model), tqdm(total=config.steps, desc="steps", disable=not progress) as bar:
        for step, loss in enumerate(_steps(model, batches, config), start=1):
            losses.append(loss)
            bar.update()
            if step in ends:
                mean = _mean(losses, step)
                held_out, seconds = evaluate(model), time.perf_counter() - start
                result.append(EpochRecord(len(result), mean, held_out.loss, held_out.top1, 0.0, seconds))
                bar.set_postfix(loss=f"{mean:.3f}", validation=f"{held_out.loss:.3f}")
                start, losses = time.perf_counter(), []
    if step < config.steps:
        raise ValueError(f"there are {step} batches for {config.steps} steps; give more batches.")
    return result


def sequence_loss_prefix(
    model: nn.Module, batches: Iterable[TokenBatch], config: SequenceConfig, *, steps: int = 4
) -> list[float]:
    """Return the losses of the first steps of :func:`fit_sequences` in float64; ``model`` is trained by them.

    In float64 they are the same on every processor up to about one part in a billion.
    """
    model.to(settings.choose_device()).double()
    with keep_modes(model):
        return [loss.item() for loss in islice(_steps(model, batches, config), steps)]


def evaluate_sequences(model: nn.Module, batches: Iterable[TokenBatch]) -> Evaluation:
    """Return loss and accuracies per token, each predicted from the right tokens before it.

    Raises:
        ValueError: if there is no token to predict.
    """
    loss, top1, top5, count = 0.0, 0, 0, 0
    device, _ = device_and_dtype(model)
    with evaluation_mode(model), torch.no_grad():
        for inputs, targets in batches:
            correct = targets.to(device).flatten()
            logits = model(*(part.to(device) for part in inputs)).flatten(0, 1)[correct != IGNORED]
            correct = correct[correct != IGNORED]
            loss += summed_loss(logits, correct).item()
            top1 += int(top_k_hits(logits, correct, k=1))
            top5 += int(top_k_hits(logits, correct, k=min(5, logits.shape[1])))
            count += len(correct)
    if not count:
        raise ValueError("there is no token to predict; give at least one batch.")
    return Evaluation(loss / count, 100 * top1 / count, 100 * top5 / count)


def _steps(model: nn.Module, batches: Iterable[TokenBatch], config: SequenceConfig) -> Iterator[Tensor]:
    """Take optimizer steps and yield their losses, which are on the device."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.peak_lr, betas=(0.9, 0.98), weight_decay=config.weight_decay
    )
    schedule = WarmupCosine(config.warmup)
    device, _ = device_and_dtype(model)
    model.train()
    for step, (inputs, targets) in enumerate(islice(batches, config.steps)):
        optimizer.param_groups[0]["lr"] = schedule.rate(step, config.steps, config.peak_lr)
        logits = model(*(part.to(device, non_blocking=True) for part in inputs))
        correct = targets.to(device, non_blocking=True).flatten()
        loss = functional.cross_entropy(logits.flatten(0, 1), correct, ignore_index=IGNORED)
        if can_read_at_once(loss) or step % LOSS_CHECK_STEPS == LOSS_CHECK_STEPS - 1:
            _require_finite(loss.item(), step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.detach()


def _mean(losses: Sequence[Tensor], last_step: int) -> float:
    """Return the mean of the losses up to a step (counted from 1), read from the device at once."""
    values = torch.stack(list(losses)).tolist()
    for step, loss in enumerate(values, start=last_step - len(values)):
        _require_finite(loss, step)
    return sum(values) / len(values)


def _require_finite(loss: float, step: int) -> None:
    """Raise FloatingPointError if a loss is NaN or infinite."""
    if not math.isfinite(loss):
        raise FloatingPointError(f"loss is {loss} at step {step}; lower peak_lr.")

"""What decides about a training run, and what is recorded of each of its epochs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from labkit.training.schedules import Constant, Schedule, WarmupCosine

__all__ = [
    "Cut",
    "EpochRecord",
    "ScheduledConfig",
    "TrainConfig",
    "records_from_json",
    "records_to_json",
    "require_trainable",
]


@dataclass(frozen=True)
class TrainConfig:
    """The hyperparameters of a training run."""

    epochs: int = 30
    batch_size: int = 128
    peak_lr: float = 0.4
    warmup: float = 0.25  # share of all steps with a linearly rising rate; then a cosine to 0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that cannot train; turn NumPy's numbers into plain ones, which can be stored."""
        for entry in fields(self):
            value = getattr(self, entry.name)
            if hasattr(value, "item"):
                object.__setattr__(self, entry.name, value.item())
        require_trainable(self, {"epochs": 1, "batch_size": 2, "seed": 0})

    def learning_rate(self, step: int, total_steps: int) -> float:
        """Return the rate at ``step`` (from 0): linear warm-up to the peak, then a cosine towards 0.

        >>> [round(TrainConfig(peak_lr=1.0, warmup=0.25).learning_rate(s, 4), 2) for s in range(4)]
        [1.0, 1.0, 0.75, 0.25]
        """
        return WarmupCosine(self.warmup).rate(step, total_steps, self.peak_lr)


@dataclass(frozen=True)
class ScheduledConfig(TrainConfig):
    """The hyperparameters of a training run whose learning rate follows ``schedule``, without warm-up."""

    warmup: float = 0.0
    schedule: Schedule = field(default_factory=Constant)

    def __post_init__(self) -> None:
        """Refuse a warm-up that the schedule would ignore."""
        super().__post_init__()
        if self.warmup:
            raise ValueError(
                f"a schedule replaces warmup, which must be 0, got {self.warmup}; "
                "use WarmupCosine as the schedule."
            )

    def learning_rate(self, step: int, total_steps: int) -> float:
        """Return the rate of the schedule at ``step`` (from 0), with ``peak_lr`` as its base rate."""
        return self.schedule.rate(step, total_steps, self.peak_lr)


@dataclass(frozen=True)
class Cut:
    """What one pruning did to a network, measured on the same images before and after it.

    Losses are in nats per image, accuracies in per cent; ``sparsity`` is the share of the prunable weights
    that is removed afterwards.
    """

    sparsity: float
    loss_before: float
    loss_after: float
    accuracy_before: float
    accuracy_after: float


@dataclass(frozen=True)
class EpochRecord:
    """The results of one epoch; accuracy in per cent, ``sparsity`` as a share of the prunable weights.

    An epoch with ``lead`` came before the learning rate's schedule, at a constant rate; ``cuts`` lists
    what was pruned in it, where that was measured. ``train_top1`` is counted
    during the epoch, on augmented images and while the weights move; older records do not have it.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_top1: float
    sparsity: float
    seconds: float
    lead: bool = False
    cuts: tuple[Cut, ...] = ()
    train_top1: float | None = None


def records_to_json(records: Iterable[EpochRecord]) -> list[dict[str, object]]:
    """Return one row per epoch, as files store them; later fields only where they are not the default."""
    defaults = {entry.name: entry.default for entry in fields(EpochRecord)}
    return [
        {name: value for name, value in asdict(record).items() if value != defaults[name]}
        for record in records
    ]


def records_from_json(rows: Sequence[Mapping[str, Any]]) -> list[EpochRecord]:
    """Return the records that :func:`records_to_json` turned into ``rows``; fields of others are ignored."""
    names = {entry.name for entry in fields(EpochRecord)}
    return [
        EpochRecord(
            **{name: value for name, value in row.items() if name in names and name != "cuts"},
            cuts=tuple(Cut(**cut) for cut in row.get("cuts", ())),
        )
        for row in rows
    ]


def require_trainable(config: Any, least: Mapping[str, int]) -> None:
    """Refuse hyperparameters below ``least``, a warm-up outside [0, 1), and a rate that is not positive."""
    for name, low in least.items():
        if getattr(config, name) < low:
            raise ValueError(f"{name} must be at least {low}, got {getattr(config, name)}.")
    if not 0 <= config.warmup < 1 or not config.peak_lr > 0:
        raise ValueError(
            f"warmup must be in [0, 1) and peak_lr positive, got {config.warmup}, {config.peak_lr}."
        )

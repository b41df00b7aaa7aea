"""What decides about a training run, and what is recorded of each of its epochs."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["EpochRecord", "TrainConfig"]


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
        for field in fields(self):
            value = getattr(self, field.name)
            if hasattr(value, "item"):
                object.__setattr__(self, field.name, value.item())
        for name, low in (("epochs", 1), ("batch_size", 2), ("seed", 0)):
            if getattr(self, name) < low:
                raise ValueError(f"{name} must be at least {low}, got {getattr(self, name)}.")
        if not 0 <= self.warmup < 1 or not self.peak_lr > 0:
            raise ValueError(
                f"warmup must be in [0, 1) and peak_lr positive, got {self.warmup}, {self.peak_lr}."
            )


@dataclass(frozen=True)
class EpochRecord:
    """The results of one epoch; accuracy in per cent, ``sparsity`` as a share of the prunable weights."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_top1: float
    sparsity: float
    seconds: float

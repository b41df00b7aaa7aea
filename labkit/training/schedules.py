"""Learning-rate schedules: the rate as a function of the step, by name, for the loop or for any optimizer.

A schedule is data, a frozen dataclass whose lengths are shares of the whole training, so one schedule
serves runs of any length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "MultiStep",
    "Schedule",
    "WarmupCosine",
    "find_schedule",
    "schedule_optimizer",
]


@dataclass(frozen=True)
class Schedule:
    """A rule for the learning rate; the subclasses are the rules there are."""

    def rate(self, step: int, total_steps: int, base_rate: float = 1.0) -> float:
        """Return the learning rate of ``step``, counted from 0, of ``total_steps``."""
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate in every step."""

    name: Literal["constant"] = field(default="constant", init=False)

    def rate(self, step: int, total_steps: int, base_rate: float = 1.0) -> float:
        """Return ``base_rate``."""
        _require_step(step, total_steps)
        return base_rate


@dataclass(frozen=True)
class WarmupCosine(Schedule):
    """A linear rise to the base rate during the share ``warmup`` of the steps, then a cosine towards 0.

    >>> [round(WarmupCosine(0.25).rate(step, 4), 2) for step in range(4)]
    [1.0, 1.0, 0.75, 0.25]
    """

    warmup: float = 0.25
    name: Literal["warmup-cosine"] = field(default="warmup-cosine", init=False)

    def __post_init__(self) -> None:
        """Refuse a warm-up that is not a share below 1."""
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be a share of the steps in [0, 1), got {self.warmup}.")

    def rate(self, step: int, total_steps: int, base_rate: float = 1.0) -> float:
        """Return the rate; ``base_rate`` is the peak."""
        _require_step(step, total_steps)
        warmup_steps = max(1, round(self.warmup * total_steps))
        if step < warmup_steps:
            return base_rate * (step + 1) / warmup_steps
        progress = (step - warmup_steps) / (total_steps - warmup_steps)
        return base_rate * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True)
class MultiStep(Schedule):
    """The base rate, multiplied by ``gamma`` at each of the ``milestones``.

    Args:
        milestones: rising shares of the steps in (0, 1); a milestone acts from the step
            ``round(milestone · total_steps)`` on.
        gamma: factor in (0, 1).

    >>> [round(MultiStep((0.5, 0.75)).rate(step, 4), 3) for step in range(4)]
    [1.0, 1.0, 0.1, 0.01]
    """

    milestones: tuple[float, ...]
    gamma: float = 0.1
    name: Literal["multi-step"] = field(default="multi-step", init=False)

    def __post_init__(self) -> None:
        """Refuse milestones that do not rise within the training, and factors that do not lower the rate."""
        if not all(first < second for first, second in pairwise((0, *self.milestones, 1))):
            raise ValueError(
                f"milestones must be rising shares of the steps between 0 and 1, got {self.milestones}."
            )
        if not 0 < self.gamma < 1:
            raise ValueError(f"gamma must be a factor between 0 and 1, got {self.gamma}.")

    def rate(self, step: int, total_steps: int, base_rate: float = 1.0) -> float:
        """Return the rate of ``step``."""
        _require_step(step, total_steps)
        passed = sum(step >= round(milestone * total_steps) for milestone in self.milestones)
        return base_rate * self.gamma**passed


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a period of a cosine from the base rate to 0 within ``t_max`` times the training's steps.

    With ``t_max=2.0`` training ends halfway down, at half of the base rate (Loshchilov & Hutter 2017,
    without restarts).

    >>> [round(Cosine(2.0).rate(step, 2), 3) for step in range(2)]
    [1.0, 0.854]
    """

    t_max: float = 1.0
    name: Literal["cosine"] = field(default="cosine", init=False)

    def __post_init__(self) -> None:
        """Refuse a half-period that ends before the training, after which the rate would rise again."""
        if not (math.isfinite(self.t_max) and self.t_max >= 1):
            raise ValueError(f"t_max is a multiple of the training's steps, at least 1, got {self.t_max}.")

    def rate(self, step: int, total_steps: int, base_rate: float = 1.0) -> float:
        """Return the rate of ``step``."""
        _require_step(step, total_steps)
        return base_rate * (1 + math.cos(math.pi * step / (self.t_max * total_steps))) / 2


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "warmup-cosine": WarmupCosine,
    "multi-step": MultiStep,
    "cosine": Cosine,
}


def find_schedule(name: str, **options: float | tuple[float, ...]) -> Schedule:
    """Return the schedule ``name`` with its options.

    Raises:
        ValueError: if there is no such schedule, or it has no such option.

    >>> find_schedule("cosine", t_max=2.0)
    Cosine(t_max=2.0, name='cosine')
    """
    if name not in SCHEDULES:
        raise ValueError(f"there is no schedule {name!r}; there are {', '.join(SCHEDULES)}.")
    try:
        return SCHEDULES[name](**options)
    except TypeError as error:
        raise ValueError(f"schedule {name!r} cannot take {options}: {error}.") from error


def schedule_optimizer(optimizer: Optimizer, schedule: Schedule, total_steps: int) -> LambdaLR:
    """Return a scheduler for any optimizer, whose ``step()`` is called after each optimizer step.

    Each parameter group keeps its own base rate. After ``total_steps`` the rate stays the last one.

    Raises:
        ValueError: if ``total_steps`` is below 1.
    """
    _require_step(0, total_steps)
    return LambdaLR(optimizer, lambda step: schedule.rate(min(step, total_steps - 1), total_steps))


def _require_step(step: int, total_steps: int) -> None:
    """Raise ValueError unless ``step`` is one of ``total_steps`` steps counted from 0."""
    if not 0 <= step < total_steps:
        raise ValueError(
            f"step must be at least 0 and below total_steps, got {step} of {total_steps} steps."
        )

"""How long trainings take on this machine, measured before they begin.

Leaves out: the timed steps themselves (:func:`labkit.training.step_timing.estimate_seconds`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import nn

from labkit.data import Dataset
from labkit.environment import keep_random_state
from labkit.recipes.network import build_network
from labkit.recipes.other_data import training_data
from labkit.recipes.recipe import Recipe
from labkit.training import Callback, TrainConfig
from labkit.training.step_timing import estimate_seconds

__all__ = ["Estimate", "duration", "estimate_all", "untrained_network"]


class Estimate(NamedTuple):
    """How long one training is expected to take; an epoch has ``images`` images."""

    recipe: Recipe
    dataset: Dataset
    images: int
    seconds: float


def duration(seconds: float) -> str:
    """Return a length of time as people say it.

    >>> duration(0.4), duration(95), duration(700), duration(11_000), duration(7_190)
    ('1 second', '95 seconds', '12 minutes', '3 hours 3 minutes', '2 hours')
    """
    if seconds < 100:
        return _counted(max(1, round(seconds)), "second")
    minutes = round(seconds / 60)
    if minutes < 100:
        return _counted(minutes, "minute")
    hours, rest = divmod(minutes, 60)
    return _counted(hours, "hour") + (f" {_counted(rest, 'minute')}" if rest else "")


def estimate_all(trainings: Sequence[tuple[Recipe, Dataset]]) -> list[Estimate]:
    """Estimate how long trainings take, also those whose checkpoints to begin with do not exist yet.

    The network of each recipe is timed with random weights. Trainings that cost the same per step are timed
    once.
    """
    timed = dict[object, float]()  # seconds per epoch, evaluation included
    estimates = []
    for recipe, dataset in trainings:
        data = training_data(recipe, dataset)
        costs = tuple(step.cost() for step in recipe.steps)
        key = (recipe.network, costs, recipe.config.batch_size, data.store, data.images_per_epoch)
        if key not in timed:
            timed[key] = _seconds_per_epoch(recipe, data)
        seconds = recipe.config.epochs * timed[key]
        estimates.append(Estimate(recipe, dataset, data.images_per_epoch, seconds))
    return estimates


@keep_random_state()
def untrained_network(recipe: Recipe, dataset: Dataset) -> nn.Module:
    """Return a network of the shape that the recipe trains, with random weights, for counting and timing.

    Nothing is read: it stands for a network whose weights do not exist yet, or are not shipped.
    """
    model = build_network(recipe.network, len(dataset.classes))
    for step in recipe.steps:
        model = step.untrained(model, recipe, dataset)
    return model


@keep_random_state()
def _seconds_per_epoch(recipe: Recipe, data: Dataset) -> float:
    """Time the training of a network like the recipe's; epochs are alike, so two stand for all."""
    model, callback = untrained_network(recipe, data), Callback()
    for step in recipe.steps:
        callback = step.timed_callback(callback, recipe, data)
    config: TrainConfig = replace(recipe.config, epochs=2)
    return estimate_seconds(model, data, config, callback=callback) / 2


def _counted(count: int, unit: str) -> str:
    """Return a number of units, in the singular or plural."""
    return f"{count} {unit}{'' if count == 1 else 's'}"

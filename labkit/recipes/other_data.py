"""How long a recipe trains on data that are not embedded: its budget.

The epochs in the catalogue are those for the embedded sets, which have few images. For other data
``$LABKIT_BUDGET`` chooses:

- ``full``: the epochs, rates and batch sizes of the lab's source, where it names them (:data:`SOURCES`);
  elsewhere the catalogue's epochs, which on 45,000 images are five times as many steps.
- ``steps``: the catalogue's settings with shortened epochs. Each draws as many images at random as
  photodigits has, so a network takes exactly as many optimizer steps as there, and what happens at an epoch,
  such as a cut, happens at the same step.
- ``short``: as ``steps``, but only for the dense network that labs 02 to 05 begin with; the epochs of the
  others are shorter still (:data:`SHORT_EPOCHS`), and where a lab compares dozens of runs they have fewer
  epochs (:data:`MANY_RUNS`), for a first look in at most 20 minutes per lab on two cores. Accuracies are far
  below what the methods can reach.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from labkit.data import Dataset
from labkit.recipes.catalog import find_recipe
from labkit.recipes.recipe import Network, Recipe, share_of
from labkit.training import TrainConfig

__all__ = [
    "MANY_RUNS",
    "SHORT_EPOCHS",
    "SOURCES",
    "SourceSettings",
    "recipe_for",
    "training_data",
    "with_short_epochs",
]

DENSE = ("resnet20",)  # what the recipes of labs 02 to 05 begin with
SHORT_DENSE_EPOCH = 9_000  # images, also of 100 classes
# subtle: whole batches, and at least 20 of them, over which StagedPruning averages the accuracy.
SHORT_EPOCHS: dict[Network, int] = {
    "convnet": 3_840,
    "convnet-half": 3_840,
    "resnet18-quarter": 3_840,
    "resnet20": 1_280,
    "vgg16": 1_280,
    "vgg16-narrow": 1_280,
}
# Lab 08 compares rules of pruning, each with several seeds, and lab 09 has controls from random weights. Epochs
# must not be shorter, for the reason above, so in the short budget these recipes have a share of them.
MANY_RUNS = r"vgg16-grasp-.*|vgg16-narrow(-.*)?|vgg16-channels-.*scratch"
SHORT_SHARE = 0.25


@dataclass(frozen=True)
class SourceSettings:
    """What the source of a lab says about a training; None where it says nothing, and ours is used.

    The shape of the learning rate's schedule is the recipe's own. ``recipes`` is a regular expression for
    the names of the recipes, and ``source`` says where the settings are from.
    """

    recipes: str
    source: str
    epochs: int
    batch_size: int | None = None
    peak_lr: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None

    def applied_to(self, config: TrainConfig) -> TrainConfig:
        """Return ``config`` with the source's values."""
        names = ("epochs", "batch_size", "peak_lr", "momentum", "weight_decay")
        return replace(
            config, **{name: value for name in names if (value := getattr(self, name)) is not None}
        )


SOURCES = (
    # 64,000 steps on 45,000 images; its learning rate falls by ten twice, ours rises and follows a cosine.
    SourceSettings(
        r"resnet20", "He et al. 2016, section 4.2", 182, batch_size=128, peak_lr=0.1, weight_decay=1e-4
    ),
    SourceSettings(
        r"resnet20-(oneshot|iterative|global)-80(-seed\d)?|resnet20-(global-80-)?quantized-\d",
        "course A",
        20,
        batch_size=256,
        peak_lr=0.002,
        momentum=0.875,
        weight_decay=1e-4,
    ),
    SourceSettings(
        r"resnet20-(deviation|magnitude|pipeline)-.*",
        "course B, which does not say for how many epochs",
        20,
        batch_size=128,
        peak_lr=0.001,
        weight_decay=1e-4,
    ),
    # Its batches of 128 and its rate of 0.1, divided by ten at 1/2 and 3/4, are for VGG-19 and ResNet-32.
    SourceSettings(
        r"vgg16|vgg16-narrow|vgg16-channels-.*scratch",
        "Wang et al. 2020 (GraSP), section 5; without batch norm in its classifier, our network needs the "
        "catalogue's smaller rate and batches",
        160,
    ),
    # With the 15 epochs of vgg16-grasp-80-tuned (8 for 100 classes) as many as the dense network.
    SourceSettings(r"vgg16-grasp-\d+", "Wang et al. 2020 (GraSP), section 5, 160 epochs in all", 145),
    # He et al. 2017 cut channels of VGG-16 on ImageNet and name no settings for it on CIFAR, so
    # vgg16-channels has the catalogue's.
    SourceSettings(r"convnet-.*", "course C", 100, batch_size=128, peak_lr=0.1),
)


def recipe_for(name: str, dataset: Dataset) -> Recipe:
    """Return how checkpoint ``name`` is made on ``dataset``, by its budget.

    For an embedded set this is the catalogue's entry.

    Raises:
        ValueError: if no recipe has this name.
    """
    # A folder has one set, whatever its number of classes; recipes for 100 begin with networks for 10.
    recipe = find_recipe(name, 10 if dataset.family == "folder" else len(dataset.classes))
    if dataset.family == "embedded" or dataset.budget == "steps":
        return recipe
    if dataset.budget == "short":
        return _with_fewer_epochs(recipe) if re.fullmatch(MANY_RUNS, name) else recipe
    settings = next((entry for entry in SOURCES if re.fullmatch(entry.recipes, name)), None)
    if settings is None:
        return recipe
    # subtle: filters are pruned for the first half of the training, however long it is.
    stretch = max(1, settings.epochs // recipe.config.epochs)
    steps = tuple(step.for_longer_training(stretch) for step in recipe.steps)
    return replace(recipe, steps=steps, config=settings.applied_to(recipe.config))


def training_data(recipe: Recipe, dataset: Dataset) -> Dataset:
    """Return the data set as the recipe trains on it: with the epochs of its budget, and its training images."""
    data = with_short_epochs(recipe, dataset)
    for step in recipe.steps:
        data = step.training_data(data, recipe)
    return data


def with_short_epochs(recipe: Recipe, dataset: Dataset) -> Dataset:
    """Return ``dataset`` with epochs as short as its budget has them for ``recipe``.

    A recipe that trains on few images of each class takes equally many steps on any data: its epochs are
    not shortened.
    """
    if dataset.budget != "short" or any(step.sets_epoch_images() for step in recipe.steps):
        return dataset
    images = SHORT_DENSE_EPOCH if recipe.name in DENSE else SHORT_EPOCHS[recipe.network]
    return replace(dataset, epoch_images=images)


def _with_fewer_epochs(recipe: Recipe) -> Recipe:
    """Return the recipe with a share of its epochs, and of those that it may take before its last cut."""
    steps = tuple(step.for_shorter_training(SHORT_SHARE) for step in recipe.steps)
    config = replace(recipe.config, epochs=share_of(recipe.config.epochs, SHORT_SHARE))
    return replace(recipe, steps=steps, config=config)

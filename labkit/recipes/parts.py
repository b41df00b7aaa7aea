"""A recipe and its parts: what is decided about a checkpoint, besides the data.

A new optional part of a recipe is None by default: what is None does not enter a recipe's hash, so
that checkpoints made before the part existed stay up to date.
Leaves out: the recipes themselves (catalog).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from labkit.pruning.saliency import Rule
from labkit.training import TrainConfig

__all__ = ["Channels", "Distillation", "Pruning", "Quantization", "Recipe", "Saliency", "Sharing"]


@dataclass(frozen=True)
class Pruning:
    """Prune by ``rule`` to ``amounts[e]`` at the start of epoch e, then keep the last masks.

    An amount is a sparsity for ``layer``, ``global`` and ``sensitivity``, a number of standard
    deviations for ``deviation``. Without amounts the zeros of the start are kept.
    """

    rule: Literal["layer", "deviation", "global", "sensitivity"]
    amounts: tuple[float, ...]


@dataclass(frozen=True)
class Saliency:
    """Prune by ``rule`` to each of ``sparsities`` when training reaches each of ``accuracies`` (%).

    The layers ``spared`` keep all their weights.
    """

    sparsities: tuple[float, ...]
    accuracies: tuple[float, ...] = (20.0, 40.0, 60.0)
    spared: tuple[str, ...] = ("classifier.0", "classifier.3", "classifier.6")
    rule: Rule = "grasp"


@dataclass(frozen=True)
class Channels:
    """Cut VGG16's convolutions to ``keep`` output channels before training, reconstructing each."""

    keep: tuple[int, ...]
    selection: Literal["lasso"] = "lasso"


@dataclass(frozen=True)
class Quantization:
    """Train with the residual blocks' convolutions rounded to ``bits`` bits."""

    bits: int
    scheme: Literal["asymmetric", "symmetric"]


@dataclass(frozen=True)
class Sharing:
    """Train with ``clusters`` nonzero values a layer; the zeros of the start are kept."""

    clusters: int


@dataclass(frozen=True)
class Distillation:
    """Learn from the checkpoint ``teacher`` too, with that weight and temperature."""

    teacher: str
    weight: float
    temperature: float


@dataclass(frozen=True)
class Recipe:
    """How one checkpoint is made."""

    name: str
    description: str
    config: TrainConfig
    start: str | None = None  # the checkpoint it begins with; None: random weights
    pruning: Pruning | None = None
    quantization: Quantization | None = None
    sharing: Sharing | None = None
    distillation: Distillation | None = None
    network: Literal["vgg16", "vgg16-narrow"] | None = None  # None: ResNet-20
    saliency: Saliency | None = None
    channels: Channels | None = None
    features: str | None = None  # begin with the convolutions of this checkpoint of the 10-class set
    class_counts: tuple[int, ...] = (10,)  # the data sets it is made on; each has its own hash
    dropout: float | None = None  # of VGG16's classifier; None: 0.5
    hundred: Recipe | None = None  # takes its place on a set of 100 classes

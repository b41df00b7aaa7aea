"""A recipe as data: what decides about a checkpoint, besides the images it is trained on.

Leaves out: the steps there are (:mod:`labkit.recipes.steps`) and the recipes themselves
(:mod:`labkit.recipes.catalog`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from torch import nn

from labkit.data import Dataset
from labkit.training import Callback, TrainConfig

__all__ = ["Network", "Recipe", "Source", "Step", "share_of"]

Network = Literal["convnet", "convnet-half", "resnet18-quarter", "resnet20", "vgg16", "vgg16-narrow"]


@dataclass(frozen=True)
class Source:
    """A checkpoint whose weights a recipe uses, on a set of ``class_count`` classes (None: the same set)."""

    name: str
    class_count: int | None = None


@dataclass(frozen=True)
class Step:
    """One thing that a recipe does to a network; this base class does nothing.

    A new technique is a subclass, a frozen dataclass whose fields enter the recipe's hash, and an
    entry in the catalogue. It overrides what it needs of the methods. The first five make the checkpoint;
    the others say how the step changes with the length of the training, and what it costs.
    """

    def sources(self) -> tuple[Source, ...]:
        """Name the checkpoints whose weights this step reads."""
        return ()

    def training_data(self, dataset: Dataset, recipe: Recipe) -> Dataset:  # noqa: ARG002
        """Return the data that is trained on; validation and test images must stay."""
        return dataset

    def prepare(self, model: nn.Module, recipe: Recipe, dataset: Dataset) -> nn.Module:  # noqa: ARG002
        """Return the network as it is before its first training step; ``model`` may be changed."""
        return model

    def restore(self, model: nn.Module) -> nn.Module:
        """Return the network that computes with ``model``'s stored weights as this step's would."""
        return model

    def callback(self, inner: Callback, recipe: Recipe, dataset: Dataset) -> Callback:  # noqa: ARG002
        """Return what acts during training: ``inner``, that of the earlier steps, or something around it."""
        return inner

    def for_longer_training(self, factor: int) -> Step:  # noqa: ARG002
        """Return the step of a training with ``factor`` times as many epochs."""
        return self

    def for_shorter_training(self, share: float) -> Step:  # noqa: ARG002
        """Return the step of a training with this share of the epochs, at least one."""
        return self

    def sets_epoch_images(self) -> bool:
        """Whether this step decides how many images an epoch has, so no budget shortens it."""
        return False

    def untrained(self, model: nn.Module, recipe: Recipe, dataset: Dataset) -> nn.Module:
        """Return a network of the shape that :meth:`prepare` gives it, without reading any weights."""
        return model if self.sources() else self.prepare(model, recipe, dataset)

    def timed_callback(self, inner: Callback, recipe: Recipe, dataset: Dataset) -> Callback:  # noqa: ARG002
        """Return ``inner`` with what this step adds to the cost of a loss, without reading any weights."""
        return inner

    def cost(self) -> object:
        """Return what, of this step, decides how long an epoch takes."""
        return type(self)

    def kept_channels(self) -> tuple[int, ...] | None:
        """Return the output channels that each convolution keeps, if this step cuts channels."""
        return None


@dataclass(frozen=True)
class Recipe:
    """How one checkpoint is made.

    Attributes:
        name: of the checkpoint; with each of ``class_counts`` it identifies the recipe.
        description: one line for ``labkit train --list``.
        network: its architecture.
        start: the checkpoint it begins with; None: random weights.
        steps: done in this order.
        config: how it is trained.
        class_counts: the data sets it is for, by their number of classes.
        shipped: whether the repository holds the weights; if not, it holds their record in the manifest
            (curves, accuracies, seconds), and ``labkit train NAME`` makes the weights.
    """

    name: str
    description: str
    network: Network
    start: str | None
    steps: tuple[Step, ...]
    config: TrainConfig
    class_counts: tuple[int, ...]
    shipped: bool = True

    @property
    def kept_channels(self) -> tuple[int, ...]:
        """The output channels that each convolution keeps, which lab 09 reads.

        Raises:
            ValueError: if there is none.
        """
        for step in self.steps:
            if (channels := step.kept_channels()) is not None:
                return channels
        raise ValueError(f"recipe {self.name!r} has no step that cuts channels.")

    def sources(self) -> tuple[Source, ...]:
        """Name every checkpoint whose weights this recipe reads, each once."""
        start = () if self.start is None else (Source(self.start),)
        return tuple(dict.fromkeys((*start, *(source for step in self.steps for source in step.sources()))))

    def as_json(self) -> dict[str, object]:
        """Return the recipe as the manifest records it: each step with the name of its class.

        What is done with the weights (``shipped``) is a field of the manifest's entry.
        """
        steps = [{"step": type(step).__name__, **asdict(step)} for step in self.steps]
        facts = {**asdict(self), "steps": steps}
        del facts["shipped"]
        return facts


def share_of(epochs: int, share: float) -> int:
    """Return this share of a number of epochs, at least one.

    >>> share_of(30, 0.25), share_of(1, 0.25)
    (8, 1)
    """
    return max(1, round(share * epochs))

"""The steps of recipes: one small class per technique."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from torch import nn

from labkit.data import Dataset, load_dataset
from labkit.data.dataset import images_per_class
from labkit.models import VGG16
from labkit.models.freezing import train_only
from labkit.models.lora import add_lora
from labkit.pruning.callbacks import PruningCallback, StagedPruning
from labkit.pruning.channels import prune_channels
from labkit.pruning.granularity import Granularity, convolution_masks
from labkit.pruning.magnitude import Masks, deviation_masks, global_masks, layer_masks
from labkit.pruning.saliency import Rule, calibration_batches, calibration_result, masks_by_rule
from labkit.pruning.sensitivity import sensitivity_masks
from labkit.quantization.layers import quantize_residual_blocks
from labkit.quantization.trained_codebook import CodebookCallback, cluster_layers
from labkit.recipes.network import build_network, load_network
from labkit.recipes.recipe import Recipe, Source, Step, share_of
from labkit.storage import checkpoints
from labkit.training import Callback
from labkit.training.distillation import Distiller

__all__ = [
    "AddLora",
    "CopyBackbone",
    "CutChannels",
    "Distill",
    "FewImages",
    "KeepZeros",
    "PruneBeforeSchedule",
    "PruneByDeviation",
    "PruneByMagnitude",
    "PruneBySaliency",
    "PruneBySensitivity",
    "PruneConvolutions",
    "Quantize",
    "SetChannels",
    "SetDropout",
    "ShareValues",
    "TrainOnly",
]


@dataclass(frozen=True)
class CopyBackbone(Step):
    """Begin with all weights of a checkpoint for ``class_count`` classes except its classifier ``fc``."""

    checkpoint: str
    class_count: int

    def sources(self) -> tuple[Source, ...]:
        """Name the checkpoint."""
        return (Source(self.checkpoint, self.class_count),)

    def prepare(self, model: nn.Module, recipe: Recipe, dataset: Dataset) -> nn.Module:  # noqa: ARG002
        """Replace the weights and the statistics below the classifier."""
        state = checkpoints.read_weights(load_dataset(self.class_count).store, self.checkpoint)
        backbone = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
        model.load_state_dict(backbone, strict=False)
        return model


@dataclass(frozen=True)
class FewImages(Step):
    """Train on ``per_class`` images of each class; the recipe's seed decides which."""

    per_class: int

    def training_data(self, dataset: Dataset, recipe: Recipe) -> Dataset:
        """Return the data set with fewer training images."""
        return images_per_class(dataset, self.per_class, seed=recipe.config.seed)

    def sets_epoch_images(self) -> bool:
        """Such a training takes equally many steps on any data."""
        return True


@dataclass(frozen=True)
class TrainOnly(Step):
    """Train the parameters whose names match ``trained``, and fix the statistics of batch norm."""

    trained: str

    def prepare(self, model: nn.Module, recipe: Recipe, dataset: Dataset) -> nn.Module:  # noqa: ARG002
        """Freeze the rest."""
        return train_only(model, self.trained)


@dataclass(frozen=True)
class AddLora(Step):
    """Freeze the weights of the layers whose names match, and train updates of low rank to them."""

    layers: str
    rank: int

    def prepare(self, model: nn.Module, recipe: Recipe, dataset: Dataset) -> nn.Module:  # noqa: ARG002
        """Add the updates; they are merged into the weights when these are stored."""
        return add_lora(model, self.layers, rank=self.rank)


@dataclass(frozen=True)
class SetDropout(Step):
    """Train with dropout of this probability, instead of VGG16's 0.5, in the classifier."""

    probability: float

    def prepare(self, model: nn.Module, recipe: Recipe, dataset: Dataset) -> nn.Module:  # noqa: ARG002
        """Set the probability of every dropout layer."""
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = self.probability
        return model


@dataclass(frozen=True)
class SetChannels(Step):
    """Begin with a VGG16 of these widths and random weights: the control for a network cut to them."""

    channels: tuple[int, ...]

    def prepare(self, model: nn.Module, recipe: Recipe, dataset: Dataset) -> nn.Module:
        """Return a new network, drawn from PyTorch's global generator."""
        if not isinstance(model, VGG16):
            raise ValueError(f"{recipe.name}: only a VGG16 has these widths, got {type(model).__name__}.")
        return VGG16(len(dataset.classes), channels=self.channels)


@dataclass(frozen=True)
class CutChannels(Step):
    """Cut VGG16's convolutions to ``keep`` output channels before training, and reconstruct each.

    Selection and reconstruction are computed in float64, so they do not depend on the processor; the
    network that is trained is in float32.
    """

    keep: tuple[int, ...]
    selection: Literal["lasso"]

    def prepare(self, model: nn.Module, recipe: Recipe, dataset: Dataset) -> nn.Module:
        """Return the smaller network."""
        if not isinstance(model, VGG16):
            raise ValueError(f"{recipe.name}: only a VGG16 can be cut, got {type(model).__name__}.")
        return prune_channels(model.double(), dataset, keep=self.keep, selection=self.selection).float()

    def untrained(self, model: nn.Module, recipe: Recipe, dataset: Dataset) -> nn.Module:  # noqa: ARG002
        """Return a network of the smaller widths; a selection would need trained weights."""
        return VGG16(len(dataset.classes), channels=self.keep)

    def cost(self) -> object:
        """Return the widths."""
        return type(self), self.keep

    def kept_channels(self) -> tuple[int, ...]:
        """Return the widths."""
        return self.keep


@dataclass(frozen=True)
class ShareValues(Step):
    """Train with at most ``clusters`` nonzero values per layer; the zeros of the start are kept."""

    clusters: int

    def prepare(self, model: nn.Module, recipe: Recipe, dataset: Dataset) -> nn.Module:  # noqa: ARG002
        """Return the network that computes with shared values."""
        return cluster_layers(model, self.clusters)

    def callback(self, inner: Callback, recipe: Recipe, dataset: Dataset) -> Callback:  # noqa: ARG002
        """Move the codebooks before every epoch."""
        return _alone(CodebookCallback(), inner, recipe)


@dataclass(frozen=True)
class Quantize(Step):
    """Train with the residual blocks' convolutions rounded to ``bits`` bits."""

    bits: int
    scheme: Literal["asymmetric", "symmetric"]

    def prepare(self, model: nn.Module, recipe: Recipe, dataset: Dataset) -> nn.Module:  # noqa: ARG002
        """Return the network with quantized layers, which have the same state-dict keys."""
        return self.restore(model)

    def restore(self, model: nn.Module) -> nn.Module:
        """Return the network with quantized layers around the stored weights."""
        return quantize_residual_blocks(model, bits=self.bits, scheme=self.scheme)


@dataclass(frozen=True)
class KeepZeros(Step):
    """Train with the zeros of the start at zero."""

    def callback(self, inner: Callback, recipe: Recipe, dataset: Dataset) -> Callback:  # noqa: ARG002
        """Set pruned weights back to zero after every step."""
        return _alone(PruningCallback({}), inner, recipe)


@dataclass(frozen=True)
class PruneByMagnitude(Step):
    """Prune the smallest weights, of each layer or of all, to ``sparsities[e]`` before epoch e.

    After the last of them the masks are kept.
    """

    scope: Literal["layer", "global"]
    sparsities: tuple[float, ...]

    def callback(self, inner: Callback, recipe: Recipe, dataset: Dataset) -> Callback:  # noqa: ARG002
        """Prune before an epoch, and keep pruned weights at zero."""
        masks = partial(_magnitude_masks, self.scope)
        rules = {epoch: partial(masks, sparsity) for epoch, sparsity in enumerate(self.sparsities)}
        return _alone(PruningCallback(rules), inner, recipe)


@dataclass(frozen=True)
class PruneByDeviation(Step):
    """Prune each layer's weights below ``deviations`` of its standard deviations, before training."""

    deviations: float

    def callback(self, inner: Callback, recipe: Recipe, dataset: Dataset) -> Callback:  # noqa: ARG002
        """Prune before the first epoch, and keep pruned weights at zero."""
        return _alone(PruningCallback({0: self._masks}), inner, recipe)

    def _masks(self, model: nn.Module) -> Masks:
        return deviation_masks(model, self.deviations)


@dataclass(frozen=True)
class PruneConvolutions(Step):
    """Prune every convolution by ``amount`` more after each ``every`` epochs, ``times`` times.

    With the defaults 10 % more of each layer's filters or weights go at epochs 10, 20, … 50, to 50 %.
    """

    granularity: Granularity
    amount: float = 0.1
    every: int = 10
    times: int = 5

    def __post_init__(self) -> None:
        """Refuse amounts that add up to more than all, and epochs that are not counts."""
        if not 0 < self.amount * self.times <= 1 or self.every < 1:
            raise ValueError(
                "amount must be positive with amount · times at most 1, and every at least 1 epoch, "
                f"got amount {self.amount}, times {self.times} and every {self.every}."
            )

    def callback(self, inner: Callback, recipe: Recipe, dataset: Dataset) -> Callback:  # noqa: ARG002
        """Prune before an epoch, and keep pruned weights at zero."""
        rules = {}
        for count in range(1, self.times + 1):
            sparsity = round(self.amount * count, 12)
            rules[self.every * count] = partial(
                convolution_masks, sparsity=sparsity, granularity=self.granularity
            )
        return _alone(PruningCallback(rules), inner, recipe)

    def for_longer_training(self, factor: int) -> PruneConvolutions:
        """Prune at the same shares of the training."""
        return replace(self, every=factor * self.every)


@dataclass(frozen=True)
class PruneBySensitivity(Step):
    """Prune all layers together to ``sparsity`` before training, the insensitive ones more."""

    sparsity: float

    def callback(self, inner: Callback, recipe: Recipe, dataset: Dataset) -> Callback:
        """Prune before the first epoch, and keep pruned weights at zero."""

        def masks(model: nn.Module) -> Masks:
            return sensitivity_masks(model, self.sparsity, dataset=dataset)

        return _alone(PruningCallback({0: masks}), inner, recipe)


@dataclass(frozen=True)
class PruneBySaliency(Step):
    """Prune by ``rule`` to each of ``sparsities`` when training reaches each of ``accuracies`` (%).

    The layers ``spared`` keep all their weights.
    """

    rule: Rule
    sparsities: tuple[float, ...]
    accuracies: tuple[float, ...]
    spared: tuple[str, ...]

    def callback(self, inner: Callback, recipe: Recipe, dataset: Dataset) -> Callback:
        """Prune when an accuracy is reached, and keep pruned weights at zero."""
        batches = calibration_batches(dataset, seed=recipe.config.seed)
        spared = [f"{layer}.weight" for layer in self.spared]
        masks = partial(masks_by_rule, rule=self.rule, batches=batches, spared=spared)
        return _alone(StagedPruning(masks, self.sparsities, self.accuracies), inner, recipe)


@dataclass(frozen=True)
class PruneBeforeSchedule(Step):
    """Prune as :class:`PruneBySaliency` does, and begin the recipe's training after the last cut.

    Until then, for at most ``epochs`` epochs, the network trains at the constant ``rate``; accuracies that
    it has not reached by then count as reached. A cut at accuracy 0 is made before the first step.
    The masks are chosen in float64, so they do not depend on the processor, and by the recipe's seed. Loss
    and accuracy on the calibration images are recorded before and after each cut.
    """

    rule: Rule
    sparsities: tuple[float, ...]
    accuracies: tuple[float, ...]
    spared: tuple[str, ...]
    rate: float
    epochs: int

    def callback(self, inner: Callback, recipe: Recipe, dataset: Dataset) -> Callback:
        """Prune when an accuracy is reached, and keep pruned weights at zero."""
        seed, spared = recipe.config.seed, [f"{layer}.weight" for layer in self.spared]
        batches = calibration_batches(dataset, seed=seed)

        def masks(model: nn.Module, sparsity: float) -> Masks:
            double = copy.deepcopy(model).double()
            return masks_by_rule(double, sparsity, self.rule, batches, spared=spared, seed=seed)

        def measure(model: nn.Module) -> tuple[float, float]:
            return calibration_result(model, batches)

        pruning = StagedPruning(
            masks,
            self.sparsities,
            self.accuracies,
            lead_rate=self.rate,
            lead_epochs=self.epochs,
            measure=measure,
        )
        return _alone(pruning, inner, recipe)

    def for_shorter_training(self, share: float) -> PruneBeforeSchedule:
        """Take fewer epochs before the last cut, too."""
        return replace(self, epochs=share_of(self.epochs, share))


@dataclass(frozen=True)
class Distill(Step):
    """Learn from the checkpoint ``teacher`` too; the callback of the earlier steps acts as it would alone."""

    teacher: str
    weight: float
    temperature: float

    def sources(self) -> tuple[Source, ...]:
        """Name the teacher."""
        return (Source(self.teacher),)

    def callback(self, inner: Callback, recipe: Recipe, dataset: Dataset) -> Callback:
        """Add the teacher's term to the loss."""
        teacher = load_network(recipe.network, self.teacher, dataset)
        return self._distiller(teacher, inner)

    def timed_callback(self, inner: Callback, recipe: Recipe, dataset: Dataset) -> Callback:
        """Add the term of a teacher with random weights."""
        return self._distiller(build_network(recipe.network, len(dataset.classes)), inner)

    def _distiller(self, teacher: nn.Module, inner: Callback) -> Callback:
        return Distiller(teacher, weight=self.weight, temperature=self.temperature, inner=inner)


def _magnitude_masks(scope: Literal["layer", "global"], sparsity: float, model: nn.Module) -> Masks:
    return layer_masks(model, sparsity) if scope == "layer" else global_masks(model, sparsity)


def _alone(callback: Callback, inner: Callback, recipe: Recipe) -> Callback:
    """``callback``, or an error where an earlier step acts during training as well."""
    if type(inner) is not Callback:
        raise ValueError(
            f"{recipe.name}: {type(inner).__name__} and {type(callback).__name__} cannot act together; "
            "only Distill takes in the steps before it."
        )
    return callback

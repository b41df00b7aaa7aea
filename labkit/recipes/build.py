"""The network of a recipe: before its first step, while it trains, and from its stored weights.

Leaves out: training it, and where its weights are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial

from torch import Tensor, nn

from labkit.data import Dataset, load_dataset
from labkit.environment import seed_everything
from labkit.models import VGG16, ResNet20
from labkit.models.vgg import VGG16_CHANNELS, vgg16_from_state
from labkit.pruning.callbacks import PruningCallback, StagedPruning
from labkit.pruning.channels import prune_channels
from labkit.pruning.magnitude import Masks, deviation_masks, global_masks, layer_masks
from labkit.pruning.saliency import calibration_batches, masks_by_rule
from labkit.pruning.sensitivity import sensitivity_masks
from labkit.quantization.layers import quantize_residual_blocks
from labkit.quantization.trained_codebook import CodebookCallback, cluster_layers
from labkit.recipes.parts import Recipe
from labkit.storage import checkpoints
from labkit.training import Callback
from labkit.training.distillation import Distiller

__all__ = ["needs", "restored", "rounded", "starting_model", "training_callback"]

NARROW = 4  # the narrow VGG16 has its channels divided by this
Rule = Callable[[nn.Module, float], Masks]


def needs(recipe: Recipe) -> list[str]:
    """The checkpoints whose weights this recipe uses: its start and its teacher."""
    teacher = None if recipe.distillation is None else recipe.distillation.teacher
    return [name for name in dict.fromkeys((recipe.start, teacher)) if name is not None]


def restored(recipe: Recipe, dataset: Dataset) -> nn.Module:
    """The network that the stored weights of ``recipe`` describe.

    Raises:
        CheckpointError: if they are missing or damaged.
    """
    return _quantize(_with_weights(recipe.network, recipe.name, dataset), recipe)


def starting_model(recipe: Recipe, dataset: Dataset) -> nn.Module:
    """The model before its first step: random by the recipe's seed, or the start's weights."""
    seed_everything(recipe.config.seed)
    if recipe.start is not None:
        model = _with_weights(recipe.network, recipe.start, dataset)
    else:
        model = _random(recipe.network, dataset)
    if recipe.features is not None:
        state = checkpoints.read_weights(load_dataset(10).name, recipe.features)
        model.load_state_dict({k: v for k, v in state.items() if k.startswith("features.")}, strict=False)
    for module in model.modules():
        if isinstance(module, nn.Dropout) and recipe.dropout is not None:
            module.p = recipe.dropout
    if recipe.channels is not None and isinstance(model, VGG16):
        model = prune_channels(model, dataset, **asdict(recipe.channels))
    if recipe.sharing is not None:
        model = cluster_layers(model, recipe.sharing.clusters)
    return _quantize(model, recipe)


def training_callback(recipe: Recipe, dataset: Dataset) -> Callback:
    """What acts on the model while it trains."""
    callback = Callback() if recipe.sharing is None else CodebookCallback()
    if recipe.pruning is not None:
        rule = _rule(recipe.pruning.rule, dataset)
        amounts = enumerate(recipe.pruning.amounts)
        callback = PruningCallback({epoch: partial(_prune, rule, amount) for epoch, amount in amounts})
    elif recipe.saliency is not None:
        batches = calibration_batches(dataset, seed=recipe.config.seed)
        spared = [f"{layer}.weight" for layer in recipe.saliency.spared]
        rule = partial(masks_by_rule, rule=recipe.saliency.rule, batches=batches, spared=spared)
        callback = StagedPruning(rule, recipe.saliency.sparsities, recipe.saliency.accuracies)
    if recipe.distillation is None:
        return callback
    facts = asdict(recipe.distillation)
    teacher = _with_weights(recipe.network, facts.pop("teacher"), dataset)
    return Distiller(teacher, **facts, inner=callback)


def rounded(state: Mapping[str, Tensor], recipe: Recipe) -> dict[str, Tensor]:
    """The state to store: VGG16's weights in half precision, everything else as it is."""
    return {
        key: value.half() if recipe.network is not None and value.ndim > 1 else value
        for key, value in state.items()
    }


def _random(network: str | None, dataset: Dataset) -> nn.Module:
    """A network with random weights."""
    if network is None:
        return ResNet20(len(dataset.classes))
    divisor = NARROW if network == "vgg16-narrow" else 1
    return VGG16(len(dataset.classes), channels=[count // divisor for count in VGG16_CHANNELS])


def _with_weights(network: str | None, name: str, dataset: Dataset) -> nn.Module:
    """A network with the stored weights ``name``."""
    state = checkpoints.read_weights(dataset.name, name)
    if network is not None:
        return vgg16_from_state(state)
    model = _random(network, dataset)
    model.load_state_dict(state)
    return model


def _quantize(model: nn.Module, recipe: Recipe) -> nn.Module:
    """The model with the recipe's quantized layers, if it has any; the same state-dict keys."""
    if recipe.quantization is None:
        return model
    return quantize_residual_blocks(model, **asdict(recipe.quantization))


def _rule(name: str, dataset: Dataset) -> Rule:
    """What gives the masks for a model and an amount."""
    rules: dict[str, Rule] = {
        "layer": layer_masks,
        "deviation": deviation_masks,
        "global": global_masks,
        "sensitivity": partial(sensitivity_masks, dataset=dataset),
    }
    return rules[name]


def _prune(rule: Rule, amount: float, model: nn.Module) -> Masks:
    return rule(model, amount)

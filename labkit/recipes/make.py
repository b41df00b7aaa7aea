"""From a recipe to weights: train, store, load, and show that stored weights come from this code.

:func:`fit_or_load` is what notebooks call; :func:`train` is ``labkit train``.
Leaves out: the algorithms and the store, which this only combines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

from torch import nn

from labkit import repro
from labkit.data import Dataset, load_dataset
from labkit.models import ResNet20
from labkit.pruning.magnitude import Masks, deviation_masks, global_masks, layer_masks
from labkit.pruning.schedules import MaskKeeper
from labkit.quantization.codebook import unshare_layers
from labkit.quantization.modules import quantize_residual_blocks
from labkit.quantization.trained import CodebookKeeper, cluster_layers
from labkit.recipes.catalog import RECIPES, Recipe
from labkit.training import Callback, checkpoints, evaluate, fit
from labkit.training.checkpoints import CheckpointError, Entry
from labkit.training.distillation import Distiller
from labkit.training.loop import loss_prefix

__all__ = ["fit_or_load", "recorded", "train", "verify_prefix"]

# Twenty losses in bf16 differ a little between processors; a change of recipe, data or code moves
# them far more (docs/decisions.md gives both figures).
PREFIX_STEPS = 20
PREFIX_TOLERANCE = 0.02

RULES: dict[str, Callable[[nn.Module, float], Masks]] = {
    "layer": layer_masks,
    "deviation": deviation_masks,
    "global": global_masks,
}


def fit_or_load(name: str, dataset: Dataset) -> nn.Module:
    """The trained model ``name``, on the CPU or GPU in use, in evaluation mode.

    ``$LABKIT_MODE`` decides how: ``auto`` loads a valid checkpoint and trains where there is none;
    ``smoke`` loads it and shows, by its first 20 losses, that this code made it; ``full`` retrains.

    Args:
        name: a key of :data:`RECIPES`.
        dataset: what it is, or was, trained on.

    Raises:
        ValueError: if there is no such recipe.
        CheckpointError: if the stored file is damaged, or, in smoke mode, absent or not reproduced.
    """
    recipe, mode = _recipe(name), repro.mode()
    is_current = _is_current(recipe, dataset)
    if mode == "smoke":
        verify_prefix(recipe, dataset)
    elif mode == "full" or not is_current:
        _make(recipe, dataset)
    model = _quantize(_build(dataset), recipe)
    model.load_state_dict(checkpoints.read_weights(dataset.name, name))
    return model.to(repro.choose_device()).eval()


def recorded(name: str, dataset: Dataset) -> Entry:
    """What the manifest records of checkpoint ``name``: its epochs, metrics, seconds, hardware."""
    return checkpoints.read_entry(dataset.name, name)


def train(names: Sequence[str]) -> None:
    """Make the checkpoints ``names`` of the 10-class set, skipping those that are up to date and whole.

    Raises:
        ValueError: if there is no such recipe; nothing is trained then.
    """
    wanted = [_recipe(name) for name in names]
    dataset = load_dataset(10)
    for recipe in wanted:
        if repro.mode() == "full" or not _is_whole(recipe, dataset):
            _make(recipe, dataset)


def verify_prefix(recipe: Recipe, dataset: Dataset) -> list[float]:
    """Train the recipe's first 20 steps and compare the losses with the recorded ones.

    Returns:
        The losses just measured.

    Raises:
        CheckpointError: if one differs by more than 2 % of the recorded value plus 0.02 nats, or
            the checkpoint was made by another recipe or from other data.
    """
    entry = recorded(recipe.name, dataset)
    if entry.recipe_hash != _recipe_hash(recipe, dataset):
        raise CheckpointError(
            f"{recipe.name} was made by another recipe or from other data; "
            f"retrain it: `labkit train {recipe.name}`."
        )
    model = _starting_model(recipe, dataset)
    callback = _callback(recipe, dataset)
    losses = loss_prefix(model, dataset, recipe.config, callback=callback, steps=PREFIX_STEPS)
    for step, (got, want) in enumerate(zip(losses, entry.loss_prefix, strict=True)):
        if abs(got - want) > PREFIX_TOLERANCE * (1 + want):
            raise CheckpointError(
                f"{recipe.name} is not what this code trains: loss {got:.4f} at step {step}, "
                f"recorded {want:.4f}; retrain it: `labkit train {recipe.name}`."
            )
    return losses


def _recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}; there are {', '.join(RECIPES)}.")
    return RECIPES[name]


def _recipe_hash(recipe: Recipe, dataset: Dataset) -> str:
    """Changes with anything that decides the weights: the recipe, what it needs, the data's statistics."""
    facts = {key: value for key, value in asdict(recipe).items() if value is not None}
    facts["data"] = [dataset.name, dataset.mean, dataset.std, dataset.train.size]
    facts["needs"] = [_recipe_hash(needed, dataset) for needed in _needs(recipe)]
    del facts["description"]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _needs(recipe: Recipe) -> list[Recipe]:
    """The recipes whose weights this one uses: its start and its teacher."""
    teacher = None if recipe.distillation is None else recipe.distillation.teacher
    return [_recipe(name) for name in dict.fromkeys((recipe.start, teacher)) if name is not None]


def _is_current(recipe: Recipe, dataset: Dataset) -> bool:
    """Whether the manifest holds this recipe's result; a damaged file is for the reader to refuse."""
    entry = checkpoints.read_manifest(dataset.name).get(recipe.name)
    return entry is not None and entry.recipe_hash == _recipe_hash(recipe, dataset)


def _is_whole(recipe: Recipe, dataset: Dataset) -> bool:
    """Whether this recipe's result is recorded and its weights are undamaged."""
    if not _is_current(recipe, dataset):
        return False
    try:
        checkpoints.read_weights(dataset.name, recipe.name)
    except CheckpointError:
        return False
    return True


def _build(dataset: Dataset) -> nn.Module:
    return ResNet20(len(dataset.classes))


def _quantize(model: nn.Module, recipe: Recipe) -> nn.Module:
    """The model with the recipe's quantized layers, if it has any; the same state-dict keys."""
    if recipe.quantization is None:
        return model
    return quantize_residual_blocks(model, **asdict(recipe.quantization))


def _starting_model(recipe: Recipe, dataset: Dataset) -> nn.Module:
    """The model before its first step: random by the recipe's seed, or the start's weights."""
    repro.seed_everything(recipe.config.seed)
    model = _build(dataset)
    if recipe.start is not None:
        model.load_state_dict(checkpoints.read_weights(dataset.name, recipe.start))
    if recipe.sharing is not None:
        model = cluster_layers(model, recipe.sharing.clusters)
    return _quantize(model, recipe)


def _callback(recipe: Recipe, dataset: Dataset) -> Callback:
    """What acts on the model while it trains."""
    callback = Callback() if recipe.sharing is None else CodebookKeeper()
    if recipe.pruning is not None:
        rule = RULES[recipe.pruning.rule]
        amounts = enumerate(recipe.pruning.amounts)
        callback = MaskKeeper({epoch: partial(_prune, rule, amount) for epoch, amount in amounts})
    if recipe.distillation is None:
        return callback
    teacher, facts = _build(dataset), asdict(recipe.distillation)
    teacher.load_state_dict(checkpoints.read_weights(dataset.name, facts.pop("teacher")))
    return Distiller(teacher, **facts, inner=callback)


def _prune(rule: Callable[[nn.Module, float], Masks], amount: float, model: nn.Module) -> Masks:
    return rule(model, amount)


def _make(recipe: Recipe, dataset: Dataset) -> None:
    """Train one recipe, and first what it needs where that is not up to date; store the result."""
    for needed in _needs(recipe):
        if not _is_whole(needed, dataset):
            _make(needed, dataset)
    digest = _recipe_hash(recipe, dataset)
    target = checkpoints.weights_path(dataset.name, recipe.name)
    partial_state = target.with_name(f".{recipe.name}.{digest}.pt")
    prefix = loss_prefix(
        _starting_model(recipe, dataset),
        dataset,
        recipe.config,
        callback=_callback(recipe, dataset),
        steps=PREFIX_STEPS,
    )
    model = _starting_model(recipe, dataset)
    epochs = fit(model, dataset, recipe.config, callback=_callback(recipe, dataset), resume=partial_state)
    test = evaluate(model, dataset, dataset.test)
    facts: dict[str, object] = {
        "recipe": asdict(recipe),
        "recipe_hash": digest,
        "validation_top1": epochs[-1].validation_top1,
        "test_loss": test.loss,
        "test_top1": test.top1,
        "test_top5": test.top5,
        "loss_prefix": prefix,
        "seconds": sum(record.seconds for record in epochs),
        "environment": repro.environment_stamp(),
        "epochs": epochs,
    }
    checkpoints.write_checkpoint(dataset.name, recipe.name, unshare_layers(model).state_dict(), facts)
    partial_state.unlink(missing_ok=True)

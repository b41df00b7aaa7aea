"""Every shipped checkpoint as a recipe: what it starts from, how it is pruned, how it is trained.

:func:`fit_or_load` is what notebooks call; :func:`train` is ``labkit train``.
Leaves out: the algorithms and the store, which this only combines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from torch import nn

from labkit import repro
from labkit.data import Dataset, load_dataset
from labkit.models import ResNet20
from labkit.pruning.magnitude import Masks, deviation_masks, global_masks, layer_masks
from labkit.pruning.schedules import MaskKeeper, linear_ramp
from labkit.training import Callback, TrainConfig, checkpoints, evaluate, fit
from labkit.training.checkpoints import CheckpointError, Entry
from labkit.training.loop import loss_prefix

__all__ = ["RECIPES", "Pruning", "Recipe", "fit_or_load", "recorded", "train"]

# Twenty losses in bf16 differ a little between processors; a change of recipe, data or code moves
# them far more (docs/decisions.md gives both figures).
PREFIX_STEPS = 20
PREFIX_TOLERANCE = 0.02

RETRAINING = TrainConfig(epochs=20, peak_lr=0.05, warmup=0.1)
RULES: dict[str, Callable[[nn.Module, float], Masks]] = {
    "layer": layer_masks,
    "deviation": deviation_masks,
    "global": global_masks,
}


@dataclass(frozen=True)
class Pruning:
    """Prune by ``rule`` to ``amounts[e]`` at the start of epoch e, then keep the last masks.

    An amount is a sparsity for ``layer`` and ``global``, a number of standard deviations for
    ``deviation``.
    """

    rule: Literal["layer", "deviation", "global"]
    amounts: tuple[float, ...]


@dataclass(frozen=True)
class Recipe:
    """How one checkpoint is made."""

    name: str
    description: str
    config: TrainConfig
    start: str | None = None  # the checkpoint it begins with; None: random weights
    pruning: Pruning | None = None


def _recipes() -> dict[str, Recipe]:
    """The recipes of lab 02, in the order in which they can be made."""
    dense = "resnet20"
    recipes = [Recipe(dense, "ResNet-20, dense", TrainConfig())]
    for s in (0.25, 0.5, 1.0):
        pruning = Pruning("deviation", (s,))
        text = f"pruned below {s} standard deviations a layer, retrained"
        recipes.append(Recipe(f"resnet20-deviation-{s}", text, RETRAINING, dense, pruning))
    for percent in (25, 50, 75):
        pruning = Pruning("layer", (percent / 100,))
        text = f"{percent} % of every layer pruned, retrained"
        recipes.append(Recipe(f"resnet20-magnitude-{percent}", text, RETRAINING, dense, pruning))
    ramp = tuple(linear_ramp(0.8, 10))
    for name, text, rule, amounts in (
        ("oneshot", "80 % of every layer pruned at once, retrained", "layer", (0.8,)),
        ("iterative", "8 % more of every layer pruned each epoch up to 80 %", "layer", ramp),
        ("global", "8 % more of all weights pruned each epoch up to 80 %", "global", ramp),
    ):
        pruning = Pruning(rule, amounts)  # type: ignore[arg-type]
        recipes.append(Recipe(f"resnet20-{name}-80", text, RETRAINING, dense, pruning))
    return {recipe.name: recipe for recipe in recipes}


RECIPES = _recipes()


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
    model = _build(dataset)
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
    losses = loss_prefix(model, dataset, recipe.config, callback=_callback(recipe), steps=PREFIX_STEPS)
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
    """Changes with anything that decides the weights: the recipe, its start, the data's statistics."""
    facts = asdict(recipe) | {"data": [dataset.name, dataset.mean, dataset.std, dataset.train.size]}
    facts["start"] = _recipe_hash(_recipe(recipe.start), dataset) if recipe.start else None
    del facts["description"]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


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


def _starting_model(recipe: Recipe, dataset: Dataset) -> nn.Module:
    """The model before its first step: random by the recipe's seed, or the start's weights."""
    repro.seed_everything(recipe.config.seed)
    model = _build(dataset)
    if recipe.start is not None:
        model.load_state_dict(checkpoints.read_weights(dataset.name, recipe.start))
    return model


def _callback(recipe: Recipe) -> Callback:
    if recipe.pruning is None:
        return Callback()
    rule = RULES[recipe.pruning.rule]
    return MaskKeeper(
        {epoch: partial(_prune, rule, amount) for epoch, amount in enumerate(recipe.pruning.amounts)}
    )


def _prune(rule: Callable[[nn.Module, float], Masks], amount: float, model: nn.Module) -> Masks:
    return rule(model, amount)


def _make(recipe: Recipe, dataset: Dataset) -> None:
    """Train one recipe, and its start first where that is not up to date; store the result."""
    if recipe.start is not None and not _is_whole(_recipe(recipe.start), dataset):
        _make(_recipe(recipe.start), dataset)
    digest = _recipe_hash(recipe, dataset)
    target = checkpoints.weights_path(dataset.name, recipe.name)
    partial_state = target.with_name(f".{recipe.name}.{digest}.pt")
    prefix = loss_prefix(
        _starting_model(recipe, dataset),
        dataset,
        recipe.config,
        callback=_callback(recipe),
        steps=PREFIX_STEPS,
    )
    model = _starting_model(recipe, dataset)
    epochs = fit(model, dataset, recipe.config, callback=_callback(recipe), resume=partial_state)
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
    checkpoints.write_checkpoint(dataset.name, recipe.name, model.state_dict(), facts)
    partial_state.unlink(missing_ok=True)

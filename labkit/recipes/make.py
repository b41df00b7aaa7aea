"""From a recipe to weights: train, store, load, and show that stored weights come from this code.

:func:`fit_or_load` is what notebooks call; :func:`train` is ``labkit train``.
Leaves out: the algorithms and the store, which this only combines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict

from torch import nn

from labkit import settings
from labkit.data import Dataset, load_dataset
from labkit.environment import environment_stamp
from labkit.models import total_sparsity
from labkit.quantization.weight_sharing import unshare_layers
from labkit.recipes.build import needs, restored, rounded, starting_model, training_callback
from labkit.recipes.catalog import RECIPES
from labkit.recipes.parts import Recipe
from labkit.storage import checkpoints
from labkit.storage.checkpoints import CheckpointError, Entry, FileFormat
from labkit.training import evaluate, fit
from labkit.training.loop import loss_prefix

__all__ = ["fit_or_load", "recorded", "replay", "train", "verify_prefix"]

# How far a replayed loss may be from the recorded one, as a share of 1 + its value. docs/decisions.md
# has what other processors do to it, and what the smallest change of a recipe does.
PREFIX_TOLERANCE = 3e-7


def fit_or_load(name: str, dataset: Dataset) -> nn.Module:
    """The trained model ``name``, on the CPU or GPU in use, in evaluation mode.

    ``$LABKIT_MODE`` decides how: ``auto`` loads a valid checkpoint and trains where there is none;
    ``smoke`` loads it and shows, by its first losses, that this code makes it; ``full`` retrains.

    Args:
        name: a key of :data:`RECIPES`.
        dataset: what it is, or was, trained on.

    Raises:
        ValueError: if there is no such recipe.
        CheckpointError: if the stored file is damaged, or, in smoke mode, absent or not reproduced.
    """
    recipe, mode = _recipe(name, dataset), settings.mode()
    is_current = _is_current(recipe, dataset)
    if mode == "smoke":
        verify_prefix(recipe, dataset)
    elif mode == "full" or not is_current:
        _make(recipe, dataset)
    return restored(recipe, dataset).to(settings.choose_device()).eval()


def recorded(name: str, dataset: Dataset) -> Entry:
    """What the manifest records of checkpoint ``name``: its epochs, metrics, seconds, hardware."""
    return checkpoints.read_entry(dataset.name, name)


def train(names: Sequence[str], class_counts: Sequence[int] = (10, 100)) -> None:
    """Make the checkpoints ``names`` on each of their data sets, skipping those up to date and whole.

    Args:
        names: keys of :data:`RECIPES`.
        class_counts: which of the two data sets; a recipe not meant for one is left out there.

    Raises:
        ValueError: if there is no such recipe or data set; nothing is trained then.
    """
    sets = {count: load_dataset(count) for count in class_counts}
    wanted = [(_recipe(name, dataset), count) for count, dataset in sets.items() for name in names]
    for recipe, count in wanted:
        outdated = settings.mode() == "full" or not _is_whole(recipe, sets[count])
        if count in recipe.class_counts and outdated:
            _make(recipe, sets[count])


def verify_prefix(recipe: Recipe, dataset: Dataset) -> float:
    """Replay the recipe's first steps and compare the losses with the recorded ones.

    Returns:
        The largest difference, as a share of what is allowed: at most 1.

    Raises:
        CheckpointError: if a loss differs by more than :data:`PREFIX_TOLERANCE`, or the checkpoint
            was made by another recipe or from other data.
    """
    entry = recorded(recipe.name, dataset)
    if entry.recipe_hash != _recipe_hash(recipe, dataset):
        raise CheckpointError(
            f"{recipe.name} was made by another recipe or from other data; "
            f"retrain it: `labkit train {recipe.name}`."
        )
    losses = replay(recipe, dataset)
    shares = [
        abs(got - want) / (PREFIX_TOLERANCE * (1 + want))
        for got, want in zip(losses, entry.loss_prefix, strict=True)
    ]
    for step, share in enumerate(shares):
        if not share <= 1:
            raise CheckpointError(
                f"{recipe.name} is not what this code trains: loss {losses[step]:.8f} at step {step}, "
                f"recorded {entry.loss_prefix[step]:.8f}, {share:.3g} times the tolerance; "
                f"retrain it: `labkit train {recipe.name}`."
            )
    return max(shares)


def replay(recipe: Recipe, dataset: Dataset) -> list[float]:
    """The losses of the recipe's first steps, in float64 (:func:`labkit.training.loop.loss_prefix`)."""
    model = starting_model(recipe, dataset)
    return loss_prefix(model, dataset, recipe.config, callback=training_callback(recipe, dataset))


def _recipe(name: str, dataset: Dataset) -> Recipe:
    """The recipe of that name for a data set of so many classes."""
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}; there are {', '.join(RECIPES)}.")
    recipe = RECIPES[name]
    return recipe.hundred or recipe if len(dataset.classes) == 100 else recipe


def _needed(recipe: Recipe, dataset: Dataset) -> list[tuple[Recipe, Dataset]]:
    """The recipes whose weights this one uses, each with its data set."""
    found = [(_recipe(name, dataset), dataset) for name in needs(recipe)]
    if recipe.features is not None:
        ten = load_dataset(10)
        found.append((_recipe(recipe.features, ten), ten))
    return found


def _recipe_hash(recipe: Recipe, dataset: Dataset) -> str:
    """Changes with anything that decides the weights: the recipe, what it needs, the data's statistics."""
    facts = {key: value for key, value in asdict(recipe).items() if value is not None}
    facts["data"] = [dataset.name, dataset.mean, dataset.std, dataset.train.size]
    facts["needs"] = [_recipe_hash(*needed) for needed in _needed(recipe, dataset)]
    for part in ("description", "class_counts", "hundred"):
        facts.pop(part, None)
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


def _make(recipe: Recipe, dataset: Dataset) -> None:
    """Train one recipe, and first what it needs where that is not up to date; store the result."""
    for needed, its_dataset in _needed(recipe, dataset):
        if not _is_whole(needed, its_dataset):
            _make(needed, its_dataset)
    digest = _recipe_hash(recipe, dataset)
    target = checkpoints.weights_path(dataset.name, recipe.name)
    partial_state = target.with_name(f".{recipe.name}.{digest}.pt")
    prefix = replay(recipe, dataset)
    model, callback = starting_model(recipe, dataset), training_callback(recipe, dataset)
    epochs = fit(model, dataset, recipe.config, callback=callback, resume=partial_state)
    plain = unshare_layers(model)
    state = rounded(plain.state_dict(), recipe)
    plain.load_state_dict(state)
    test = evaluate(plain, dataset, dataset.test)
    facts: dict[str, object] = {
        "recipe": asdict(recipe),
        "recipe_hash": digest,
        "validation_top1": epochs[-1].validation_top1,
        "test_loss": test.loss,
        "test_top1": test.top1,
        "test_top5": test.top5,
        "loss_prefix": prefix,
        "seconds": sum(record.seconds for record in epochs),
        "environment": environment_stamp(),
        "epochs": epochs,
    }
    checkpoints.write_checkpoint(dataset.name, recipe.name, state, facts, _file_format(recipe, plain))
    partial_state.unlink(missing_ok=True)


def _file_format(recipe: Recipe, model: nn.Module) -> FileFormat:
    """A container for the large networks, and for any that is mostly zero."""
    return "lkc" if recipe.network is not None or total_sparsity(model) > 0.5 else "safetensors"

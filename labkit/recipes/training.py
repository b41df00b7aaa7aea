"""From a recipe to stored weights: train, store, and show that stored weights come from this code.

:func:`train` is ``labkit train``. Leaves out: what notebooks call (:mod:`labkit.recipes.loading`).
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from typing import NamedTuple

from labkit import settings
from labkit.data import Dataset, class_counts, load_dataset
from labkit.models.lora import merge_lora
from labkit.quantization.weight_sharing import unshare_layers
from labkit.recipes.catalog import find_recipe
from labkit.recipes.estimates import Estimate, duration, estimate_all
from labkit.recipes.external import import_network, public_hash, public_network
from labkit.recipes.network import (
    file_format,
    round_weights,
    starting_model,
    training_callback,
)
from labkit.recipes.other_data import recipe_for, training_data, with_short_epochs
from labkit.recipes.recipe import Recipe
from labkit.recipes.records import compare_prefix, network_facts, training_facts
from labkit.recipes.sequences import (
    SEQUENCE_RECIPES,
    is_whole_sequence,
    recorded_sequence,
    train_sequence,
)
from labkit.storage import checkpoints
from labkit.storage.checkpoints import CheckpointError, Entry
from labkit.training import fit
from labkit.training.distributed import current_workers, first_before_others, wait_for_all
from labkit.training.loop import loss_prefix
from labkit.training.step_timing import estimate_seconds

__all__ = [
    "TrainedNetwork",
    "is_current",
    "make_checkpoint",
    "recipe_hash",
    "replay",
    "train",
    "training_estimates",
    "verify_prefix",
]


class TrainedNetwork(NamedTuple):
    """A checkpoint that is there after :func:`train`: whether it was made now, and in what time it was."""

    name: str
    dataset: str
    made_now: bool
    seconds: float
    hardware: str


def train(
    names: Sequence[str], counts: Sequence[int] | None = None, *, only_shipped: bool = False
) -> list[TrainedNetwork]:
    """Make the checkpoints ``names`` on each of their data sets, skipping those up to date and whole.

    Args:
        names: of recipes in the catalogue, or of sequence recipes.
        counts: the class counts of the data sets of images; all there are by default. A recipe that is not
            for one is left out there.
        only_shipped: of recipes whose weights are not shipped, be content with an up-to-date record.

    Returns:
        One row per checkpoint, also for those that were up to date.

    Raises:
        ValueError: if there is no such recipe or data set; nothing is trained then.
    """
    with first_before_others():
        trainings = _on_images(names, counts)
    rows = []
    for recipe, dataset in trainings:
        due = _is_due(recipe, dataset, only_shipped=only_shipped)
        if due:
            make_checkpoint(recipe, dataset)
        entry = checkpoints.read_entry(dataset.store, recipe.name)
        rows.append(_trained(recipe.name, dataset.store, due, entry))
    for name in (name for name in names if name in SEQUENCE_RECIPES):
        missing = settings.mode() == "full" or not is_whole_sequence(name)
        wait_for_all()  # all have looked, before the first one writes
        if missing and current_workers().is_first:
            train_sequence(name)
        wait_for_all()
        rows.append(_trained(name, "sequences", missing, recorded_sequence(name)))
    return rows


def training_estimates(
    names: Sequence[str], counts: Sequence[int] | None = None, *, only_shipped: bool = False
) -> list[Estimate]:
    """Return how long each training that :func:`train` would do takes on this machine; nothing is trained.

    With the checkpoints named come those that they need and that are not up to date. Recipes for sequences
    are left out.

    Raises:
        ValueError: as :func:`train` does.
    """
    trainings = dict[tuple[str, str], tuple[Recipe, Dataset]]()
    for recipe, dataset in _on_images(names, counts):
        if _is_due(recipe, dataset, only_shipped=only_shipped):
            _add_trainings(recipe, dataset, trainings)
    return estimate_all(list(trainings.values()))


def verify_prefix(recipe: Recipe, dataset: Dataset) -> float:
    """Replay the recipe's first steps and compare the losses with the recorded ones.

    Returns:
        The largest difference, as a share of what is allowed: at most 1; 0 for a network that was not
        trained here.

    Raises:
        CheckpointError: if a loss differs by more, or the checkpoint was made by another recipe or from
            other data.
    """
    entry = checkpoints.read_entry(dataset.store, recipe.name)
    if entry.recipe_hash != recipe_hash(recipe, dataset):
        raise CheckpointError(
            f"{recipe.name} was made by another recipe or from other data; "
            f"retrain it: `labkit train {recipe.name}`."
        )
    if public_network(recipe, dataset) is not None:
        return 0.0
    return compare_prefix(recipe.name, replay(recipe, dataset), entry.loss_prefix)


def replay(recipe: Recipe, dataset: Dataset) -> list[float]:
    """Compute the losses of the recipe's first steps, in float64 (:func:`labkit.training.loop.loss_prefix`)."""
    model = starting_model(recipe, dataset)
    callback = training_callback(recipe, dataset)
    data = training_data(recipe, dataset)
    return loss_prefix(model, data, recipe.config, callback=callback)


def recipe_hash(recipe: Recipe, dataset: Dataset) -> str:
    """Hash all that decides the weights: the recipe, the recipes it needs, and the data's statistics.

    On data that are not embedded, the length of an epoch belongs to it, so two budgets that train
    differently have different hashes.
    """
    if (network := public_network(recipe, dataset)) is not None:
        return public_hash(network)
    facts = recipe.as_json()
    del facts["description"], facts["class_counts"]
    facts["data"] = [dataset.name, dataset.mean, dataset.std, dataset.train.size]
    if dataset.family != "embedded":
        facts["budget"] = [dataset.budget, with_short_epochs(recipe, dataset).epoch_images]
    facts["needs"] = [recipe_hash(*needed) for needed in _needed(recipe, dataset)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def is_current(recipe: Recipe, dataset: Dataset) -> bool:
    """Whether the manifest holds this recipe's result; a damaged file is for the reader to refuse."""
    entry = checkpoints.read_manifest(dataset.store).get(recipe.name)
    return entry is not None and entry.recipe_hash == recipe_hash(recipe, dataset)


def make_checkpoint(recipe: Recipe, dataset: Dataset) -> None:
    """Train one recipe, after those it needs that are not up to date, and store the result.

    A network that ``$LABKIT_WEIGHTS`` takes from elsewhere is stored as it is.
    """
    wait_for_all()  # every process has seen that the checkpoint is missing
    if (network := public_network(recipe, dataset)) is not None:
        if current_workers().is_first:
            import_network(network, recipe, dataset)
        wait_for_all()
        return
    for needed, its_dataset in _needed(recipe, dataset):
        if not _is_whole(needed, its_dataset):
            make_checkpoint(needed, its_dataset)
    digest = recipe_hash(recipe, dataset)
    manifest = checkpoints.manifest_path(dataset.store)
    partial_state = manifest.with_name(f".{recipe.name}.{digest}.pt")
    prefix = replay(recipe, dataset)
    model, callback = starting_model(recipe, dataset), training_callback(recipe, dataset)
    data = training_data(recipe, dataset)
    if current_workers().is_first:
        timed = training_callback(recipe, dataset)
        _announce(recipe, data, estimate_seconds(model, data, recipe.config, callback=timed))
    epochs = fit(model, data, recipe.config, callback=callback, resume=partial_state)
    plain = unshare_layers(merge_lora(model))
    state = round_weights(plain.state_dict(), recipe.network)
    plain.load_state_dict(state)
    facts = {
        "recipe": recipe.as_json(),
        "recipe_hash": digest,
        **network_facts(plain, dataset),
        **training_facts(epochs, prefix),
    }
    if current_workers().is_first:
        chosen_format = file_format(recipe.network, plain)
        checkpoints.write_checkpoint(
            dataset.store, recipe.name, state, facts, chosen_format, shipped=recipe.shipped
        )
        partial_state.unlink(missing_ok=True)
    wait_for_all()


def _trained(name: str, dataset: str, made_now: bool, entry: Entry) -> TrainedNetwork:
    return TrainedNetwork(name, dataset, made_now, entry.seconds, entry.environment.get("hardware", "?"))


def _needed(recipe: Recipe, dataset: Dataset) -> list[tuple[Recipe, Dataset]]:
    """The recipes whose weights this one uses, each with its data set."""
    needed = []
    for source in recipe.sources():
        its_dataset = dataset if source.class_count is None else load_dataset(source.class_count)
        needed.append((recipe_for(source.name, its_dataset), its_dataset))
    return needed


def _on_images(names: Sequence[str], counts: Sequence[int] | None) -> list[tuple[Recipe, Dataset]]:
    """Return the recipes on images among ``names``, with each of their data sets."""
    named = [
        (name, count)
        for count in (class_counts() if counts is None else counts)
        for name in names
        if name not in SEQUENCE_RECIPES and count in find_recipe(name, count).class_counts
    ]
    sets = {count: load_dataset(count) for count in dict.fromkeys(count for _, count in named)}
    return [(recipe_for(name, sets[count]), sets[count]) for name, count in named]


def _is_due(recipe: Recipe, dataset: Dataset, *, only_shipped: bool) -> bool:
    """Whether the recipe is to be trained: always in full mode, else if its result is not complete."""
    complete = is_current if only_shipped and not recipe.shipped else _is_whole
    return settings.mode() == "full" or not complete(recipe, dataset)


def _add_trainings(
    recipe: Recipe, dataset: Dataset, trainings: dict[tuple[str, str], tuple[Recipe, Dataset]]
) -> None:
    """Add the recipe to the trainings to be done, after those that it needs and that are not up to date."""
    if public_network(recipe, dataset) is not None:  # taken as it is
        return
    for needed, its_dataset in _needed(recipe, dataset):
        if not _is_whole(needed, its_dataset):
            _add_trainings(needed, its_dataset, trainings)
    trainings[recipe.name, dataset.store] = recipe, dataset


def _announce(recipe: Recipe, data: Dataset, seconds: float) -> None:
    """Say on stderr what is trained and how long that takes."""
    print(  # noqa: T201
        f"training {recipe.name} on {data.title or data.name}: {recipe.config.epochs} epochs of "
        f"{data.images_per_epoch:,} images, about {duration(seconds)} on this machine",
        file=sys.stderr,
    )


def _is_whole(recipe: Recipe, dataset: Dataset) -> bool:
    """Whether this recipe's result is recorded and its weights are undamaged."""
    if not is_current(recipe, dataset):
        return False
    try:
        checkpoints.read_weights(dataset.store, recipe.name)
    except CheckpointError:
        return False
    return True

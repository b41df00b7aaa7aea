"""What notebooks call: the trained network of a recipe, and what the manifest records of it."""

from __future__ import annotations

from torch import nn

from labkit import settings
from labkit.data import Dataset
from labkit.recipes.network import restored_model
from labkit.recipes.other_data import recipe_for
from labkit.recipes.training import is_current, make_checkpoint, verify_prefix
from labkit.storage import checkpoints
from labkit.storage.checkpoints import Entry

__all__ = ["fit_or_load", "recorded"]


def fit_or_load(name: str, dataset: Dataset) -> nn.Module:
    """Return the trained model ``name``, on the CPU or GPU in use, in evaluation mode.

    ``$LABKIT_MODE`` decides how: ``auto`` loads a valid checkpoint and trains where there is none;
    ``smoke`` loads it and shows, by its first losses, that this code makes it; ``full`` retrains.

    Args:
        name: of a recipe in the catalogue.
        dataset: what it is, or was, trained on.

    Raises:
        ValueError: if there is no such recipe.
        CheckpointError: if the stored file is damaged, or, in smoke mode, absent or not reproduced.
    """
    recipe, mode = recipe_for(name, dataset), settings.mode()
    if mode == "smoke":
        verify_prefix(recipe, dataset)
    elif mode == "full" or not is_current(recipe, dataset):
        make_checkpoint(recipe, dataset)
    return restored_model(recipe, dataset).to(settings.choose_device()).eval()


def recorded(name: str, dataset: Dataset) -> Entry:
    """Return what the manifest records of checkpoint ``name``: its epochs, metrics, seconds, hardware.

    The repository holds the record of every recipe on the embedded sets. On other data, a checkpoint that
    is not recorded, or was made by another recipe, is trained first.

    Raises:
        CheckpointError: if the manifest of an embedded set lacks it.
        ValueError: if no recipe has this name.
    """
    if dataset.family != "embedded":
        recipe = recipe_for(name, dataset)
        if not is_current(recipe, dataset):
            make_checkpoint(recipe, dataset)
    return checkpoints.read_entry(dataset.store, name)

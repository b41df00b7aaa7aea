"""How every shipped checkpoint is made, and the weights themselves.

A :class:`Recipe` (``recipe``) is data; its steps (``steps``) prepare a network and act while it trains;
``catalog`` lists all recipes, ``other_data`` says how long they train on data that are not embedded, ``network``
builds their networks, ``training`` trains and stores them, ``estimates`` tells how long that takes,
and ``loading`` and ``backbone`` have what notebooks call. ``scans`` stores the sensitivity scans of trained
networks; ``sequences`` has the recipes that are not trained on images.
"""

from labkit.recipes.backbone import Backbone, load_backbone
from labkit.recipes.catalog import CATALOG, RECIPES, find_recipe
from labkit.recipes.estimates import untrained_network
from labkit.recipes.loading import fit_or_load, recorded
from labkit.recipes.other_data import recipe_for
from labkit.recipes.recipe import Recipe, Step
from labkit.recipes.records import recorded_differences
from labkit.recipes.scans import StoredScan, make_scan, scan_or_load
from labkit.recipes.sequences import (
    SEQUENCE_RECIPES,
    fit_or_load_sequence,
    recorded_sequence,
    train_sequence,
    verify_sequence,
)
from labkit.recipes.training import train, training_estimates, verify_prefix

__all__ = [
    "CATALOG",
    "RECIPES",
    "Backbone",
    "Recipe",
    "SEQUENCE_RECIPES",
    "Step",
    "StoredScan",
    "find_recipe",
    "fit_or_load",
    "fit_or_load_sequence",
    "load_backbone",
    "make_scan",
    "recipe_for",
    "recorded",
    "recorded_differences",
    "recorded_sequence",
    "scan_or_load",
    "train",
    "train_sequence",
    "training_estimates",
    "untrained_network",
    "verify_prefix",
    "verify_sequence",
]

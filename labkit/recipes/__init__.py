"""Every shipped checkpoint as a recipe (catalog), its network (build), and its weights (make)."""

from labkit.recipes.catalog import RECIPES, Distillation, Pruning, Quantization, Recipe, Sharing
from labkit.recipes.make import fit_or_load, recorded, train, verify_prefix

__all__ = [
    "RECIPES",
    "Distillation",
    "Pruning",
    "Quantization",
    "Recipe",
    "Sharing",
    "fit_or_load",
    "recorded",
    "train",
    "verify_prefix",
]

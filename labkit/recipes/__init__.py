"""Every shipped checkpoint as a recipe (catalog, of parts), its network (build), and its weights (make)."""

from labkit.recipes.catalog import RECIPES
from labkit.recipes.make import fit_or_load, recorded, train, verify_prefix
from labkit.recipes.parts import Distillation, Pruning, Quantization, Recipe, Sharing

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

"""Verbs for networks: train."""

from __future__ import annotations

import argparse

from labkit.cli.verbs import add_verb

__all__ = ["add_verbs"]


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the verbs of this module."""
    train = add_verb(verbs, "train", _train, "make checkpoints that are missing or out of date")
    train.add_argument("names", nargs="*", metavar="NAME", help="a checkpoint; see --list")
    train.add_argument("--all", action="store_true", help="every checkpoint")
    train.add_argument("--list", action="store_true", help="list the checkpoints there are")


def _train(arguments: argparse.Namespace) -> int:
    """Make checkpoints, or list them."""
    from labkit import recipes

    if arguments.list:
        for recipe in recipes.RECIPES.values():
            print(f"{recipe.name:32}{recipe.description}")
        return 0
    if not arguments.names and not arguments.all:
        raise ValueError("say which checkpoints to make, or --all; `labkit train --list` shows them.")
    recipes.train(list(recipes.RECIPES) if arguments.all else arguments.names)
    return 0

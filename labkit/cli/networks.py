"""Subcommands for networks: train, pack-model, unpack-model, inspect."""

from __future__ import annotations

import argparse
from pathlib import Path

from labkit.cli.common import add_subcommand

__all__ = ["add_subcommands"]


def add_subcommands(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommands of this module."""
    train = add_subcommand(subcommands, "train", _train, "make checkpoints that are missing or out of date")
    train.add_argument("names", nargs="*", metavar="NAME", help="a checkpoint; see --list")
    train.add_argument("--all", action="store_true", help="every checkpoint")
    train.add_argument(
        "--classes",
        type=int,
        choices=(10, 100),
        metavar="N",
        help="of one data set, 10 or 100; default: both",
    )
    train.add_argument("--list", action="store_true", help="list the checkpoints there are")

    pack = add_subcommand(subcommands, "pack-model", _pack, "write a network's weights as one small file")
    pack.add_argument("source", type=Path, metavar="FILE.safetensors", help="a state dict")
    pack.add_argument("target", type=Path, metavar="FILE.lkc")
    pack.add_argument("--compact", action="store_true", help="fold batch norm, round floats to 16 bits")

    unpack = add_subcommand(subcommands, "unpack-model", _unpack, "turn such a file back into a state dict")
    unpack.add_argument("source", type=Path, metavar="FILE.lkc")
    unpack.add_argument("target", type=Path, metavar="FILE.safetensors")

    inspect = add_subcommand(
        subcommands, "inspect", _inspect, "say what takes how many bytes in such a file"
    )
    inspect.add_argument("source", type=Path, metavar="FILE.lkc")


def _train(arguments: argparse.Namespace) -> int:
    """Make checkpoints, or list them."""
    from labkit import recipes

    if arguments.list:
        for recipe in recipes.RECIPES.values():
            print(f"{recipe.name:32}{recipe.description}")
        return 0
    if not arguments.names and not arguments.all:
        raise ValueError("say which checkpoints to make, or --all; `labkit train --list` shows them.")
    names = list(recipes.RECIPES) if arguments.all else arguments.names
    recipes.train(names, (10, 100) if arguments.classes is None else (arguments.classes,))
    return 0


def _pack(arguments: argparse.Namespace) -> int:
    """From safetensors to a container."""
    from labkit.storage.convert import pack_file

    before, after = pack_file(arguments.source, arguments.target, compact=arguments.compact)
    print(f"{arguments.target}: {after} bytes, {before / after:.2f} times smaller than {before}")
    return 0


def _unpack(arguments: argparse.Namespace) -> int:
    """From a container to safetensors."""
    from labkit.storage.convert import unpack_file

    tensors = unpack_file(arguments.source, arguments.target)
    print(f"{arguments.target}: {tensors} tensors")
    return 0


def _inspect(arguments: argparse.Namespace) -> int:
    """The ledger of a container, and its tensors."""
    from labkit.coding.describe import describe

    print(describe(arguments.source.read_bytes()))
    return 0

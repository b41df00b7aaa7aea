"""Subcommands for networks: train, scan, compress, decompress, inspect."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from labkit.cli.common import add_subcommand

if TYPE_CHECKING:
    from labkit.recipes.estimates import Estimate
    from labkit.recipes.training import TrainedNetwork

__all__ = ["add_subcommands"]

Action = Callable[[argparse.Namespace], int]
Subcommands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

# Numbers of classes of the data sets that there are recipes, and scans, for.
TRAINED = (10, 52, 100)
SCANNED = (10, 100)
# Columns of the table of estimates.
ESTIMATES = ("checkpoint", "data", "epochs", "images per epoch", "about")


def add_subcommands(subcommands: Subcommands) -> None:
    """Declare the subcommands of this module."""
    train = add_subcommand(
        subcommands,
        "train",
        _train,
        "make checkpoints that are missing or out of date, and show the time of each",
    )
    train.add_argument("names", nargs="*", metavar="NAME", help="a checkpoint; see --list")
    train.add_argument("--all", action="store_true", help="every checkpoint")
    _add_classes(train, TRAINED)
    train.add_argument("--list", action="store_true", help="list the checkpoints there are")
    train.add_argument("--estimate", action="store_true", help="say how long it would take; train nothing")

    scan = add_subcommand(
        subcommands, "scan", _scan, "make a checkpoint's sensitivity scan if it is out of date"
    )
    scan.add_argument("name", metavar="NAME", help="a checkpoint of a VGG16, such as vgg16")
    _add_classes(scan, SCANNED)

    _add_compress(subcommands, "compress", _compress, "write a network's weights as one small file")
    _add_decompress(subcommands, "decompress", _decompress, "turn such a file back into a state dict")
    inspect = add_subcommand(
        subcommands, "inspect", _inspect, "show which parts of such a file take how many bytes"
    )
    inspect.add_argument("source", type=Path, metavar="FILE.lkc")
    _add_compress(
        subcommands, "pack-model", _renamed("pack-model", "compress", _compress), "old name of compress"
    )
    _add_decompress(
        subcommands,
        "unpack-model",
        _renamed("unpack-model", "decompress", _decompress),
        "old name of decompress",
    )


def _add_compress(subcommands: Subcommands, name: str, action: Action, description: str) -> None:
    """Declare a subcommand that takes what ``labkit compress`` takes."""
    parser = add_subcommand(subcommands, name, action, description)
    parser.add_argument("source", type=Path, metavar="SOURCE.safetensors", help="a state dict")
    parser.add_argument("target", type=Path, metavar="TARGET.lkc")
    parser.add_argument("--compact", action="store_true", help="fold batch norm, round floats to 16 bits")
    parser.add_argument(
        "--bn-epsilon",
        type=float,
        metavar="E",
        help="with --compact: the epsilon of the network's batch norm, if it is not 1e-5",
    )


def _add_decompress(subcommands: Subcommands, name: str, action: Action, description: str) -> None:
    """Declare a subcommand that takes what ``labkit decompress`` takes."""
    parser = add_subcommand(subcommands, name, action, description)
    parser.add_argument("source", type=Path, metavar="SOURCE.lkc")
    parser.add_argument("target", type=Path, metavar="TARGET.safetensors")


def _renamed(old_name: str, name: str, action: Action) -> Action:
    """The action, which first says on stderr that its subcommand has another name now."""

    def announce(arguments: argparse.Namespace) -> int:
        print(f"labkit: {old_name} is now called {name}", file=sys.stderr)
        return action(arguments)

    return announce


def _add_classes(command: argparse.ArgumentParser, choices: tuple[int, ...]) -> None:
    """Declare the choice of one of the data sets with these numbers of classes; without it, of all."""
    choice_text = " or ".join([", ".join(map(str, choices[:-1])), str(choices[-1])])
    command.add_argument(
        "--classes",
        type=int,
        choices=choices,
        metavar="N",
        help=f"of one data set, {choice_text}; default: all",
    )


def _class_counts(arguments: argparse.Namespace, choices: tuple[int, ...]) -> tuple[int, ...]:
    """Return the class counts of the chosen data sets."""
    from labkit.data import class_counts

    if arguments.classes is not None:
        return (arguments.classes,)
    return tuple(count for count in choices if count in class_counts())


def _train(arguments: argparse.Namespace) -> int:
    """Make checkpoints, or list them."""
    from labkit import recipes
    from labkit.training.distributed import current_workers, process_group

    every = recipes.RECIPES | recipes.SEQUENCE_RECIPES
    if arguments.list:
        width = max(map(len, every)) + 2
        for name, recipe in every.items():
            print(f"{name:{width}}{recipe.description}")
        return 0
    if not arguments.names and not arguments.all:
        raise ValueError("say which checkpoints to make, or --all; `labkit train --list` shows them.")
    names = list(every) if arguments.all else arguments.names
    counts = _class_counts(arguments, TRAINED)
    if arguments.estimate:
        return _print_estimates(recipes.training_estimates(names, counts, only_shipped=arguments.all))
    with process_group():
        rows = recipes.train(names, counts, only_shipped=arguments.all)
        if current_workers().is_first:
            _print_times(rows)
    return 0


def _print_estimates(estimates: Sequence[Estimate]) -> int:
    """Print a row for each training and their sum."""
    from labkit.recipes.estimates import duration
    from labkit.tables import aligned

    if not estimates:
        print("nothing to train: all of it is up to date")
        return 0
    rows = [
        (
            estimate.recipe.name,
            estimate.dataset.store,
            str(estimate.recipe.config.epochs),
            f"{estimate.images:,}",
            duration(estimate.seconds),
        )
        for estimate in estimates
    ]
    total = duration(sum(estimate.seconds for estimate in estimates))
    print(aligned([ESTIMATES, *rows], right=(False, False, True, True, False)))
    print(f"{len(estimates)} trainings: about {total} on this machine")
    return 0


def _print_times(networks: Sequence[TrainedNetwork]) -> None:
    """Print the recorded training time of each network, and the sum of those that were made now."""
    from labkit.tables import Cell, table_bundle

    columns = ["network", "data set", "now", "training (s)", "hardware"]
    rows: list[list[Cell]] = [
        [name, dataset, "made" if made_now else "up to date", round(seconds, 1), hardware]
        for name, dataset, made_now, seconds, hardware in networks
    ]
    made = [network.seconds for network in networks if network.made_now]
    title = f"{len(made)} of {len(networks)} networks made, {sum(made) / 60:.1f} minutes of training"
    print(table_bundle(title, columns, rows)["text/plain"])


def _scan(arguments: argparse.Namespace) -> int:
    """Make the stored scans of a checkpoint that are missing or out of date."""
    from labkit import recipes
    from labkit.data import load_dataset

    for class_count in _class_counts(arguments, SCANNED):
        dataset = load_dataset(class_count)
        scan = recipes.scan_or_load(arguments.name, dataset)
        print(
            f"{dataset.name}: {arguments.name} scanned on {scan.image_count} images in {scan.seconds:.0f} s"
        )
    return 0


def _compress(arguments: argparse.Namespace) -> int:
    """Write a safetensors file as a container."""
    from labkit.storage.batch_norm import EPSILON
    from labkit.storage.convert import compress_file

    if arguments.bn_epsilon is not None and not arguments.compact:
        raise ValueError("--bn-epsilon is for --compact; without it nothing is folded, so leave it out.")
    epsilon = EPSILON if arguments.bn_epsilon is None else arguments.bn_epsilon
    before, after = compress_file(
        arguments.source, arguments.target, compact=arguments.compact, bn_epsilon=epsilon
    )
    print(f"{arguments.target}: {after} bytes, {before / after:.2f} times smaller than {before}")
    return 0


def _decompress(arguments: argparse.Namespace) -> int:
    """Write a container as a safetensors file."""
    from labkit.storage.convert import decompress_file

    tensors = decompress_file(arguments.source, arguments.target)
    print(f"{arguments.target}: {tensors} tensors")
    return 0


def _inspect(arguments: argparse.Namespace) -> int:
    """Print the ledger of a container, and its tensors."""
    from labkit.cli.inspect import describe
    from labkit.coding import FormatError
    from labkit.storage.convert import read_container_bytes

    try:
        print(describe(read_container_bytes(arguments.source)))
    except FormatError as error:
        raise FormatError(f"{arguments.source}: {error}") from error
    return 0

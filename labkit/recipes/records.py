"""What the manifest records of a trained network, whatever it was trained on, and how a replay is judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from labkit.data import Dataset
from labkit.environment import environment_stamp
from labkit.profiling import count_parameters
from labkit.storage.checkpoints import CheckpointError, Entry
from labkit.training import EpochRecord
from labkit.training.distributed import current_workers
from labkit.training.evaluate import evaluate_images
from labkit.training.paired import Difference, image_sources, paired_difference

__all__ = ["compare_prefix", "network_facts", "recorded_differences", "recorded_hits", "training_facts"]

# How far a replayed loss may be from the recorded one, as a share of 1 + its value. docs/decisions.md
# has what other processors do to it, and what the smallest change of a recipe does.
PREFIX_TOLERANCE = 3e-7

Part = Literal["validation", "test"]
PARTS: tuple[Part, ...] = ("validation", "test")


def compare_prefix(name: str, losses: Sequence[float], recorded: Sequence[float]) -> float:
    """Compare the losses of the first steps of a replay with those that the manifest holds.

    Returns:
        The largest difference, as a share of what is allowed: at most 1.

    Raises:
        CheckpointError: if a loss differs by more than :data:`PREFIX_TOLERANCE`.
    """
    shares = [
        abs(loss - expected) / (PREFIX_TOLERANCE * (1 + expected))
        for loss, expected in zip(losses, recorded, strict=True)
    ]
    for step, share in enumerate(shares):
        if not share <= 1:
            raise CheckpointError(
                f"{name} is not what this code trains: loss {losses[step]:.8f} at step {step}, "
                f"recorded {recorded[step]:.8f}, {share:.3g} times the tolerance; "
                f"retrain it: `labkit train {name}`."
            )
    return max(shares)


def training_facts(epochs: Sequence[EpochRecord], loss_prefix: Sequence[float]) -> dict[str, object]:
    """Return those fields of :class:`labkit.storage.checkpoints.Entry` that tell of a training."""
    count = current_workers().count
    return {
        "loss_prefix": loss_prefix,
        "seconds": sum(record.seconds for record in epochs),
        "environment": environment_stamp() | ({"processes": str(count)} if count > 1 else {}),
        "epochs": epochs,
    }


def network_facts(network: nn.Module, dataset: Dataset) -> dict[str, object]:
    """Return those fields of :class:`labkit.storage.checkpoints.Entry` that a network for images has."""
    judged = {part: evaluate_images(network, dataset, getattr(dataset, part)) for part in PARTS}
    test, _ = judged["test"]
    return {
        "validation_top1": judged["validation"][0].top1,
        "test_loss": test.loss,
        "test_top1": test.top1,
        "test_top5": test.top5,
        "nonzero_parameters": count_parameters(network)[1],
        "correct": {part: np.packbits(hits).tobytes().hex() for part, (_, hits) in judged.items()},
    }


def recorded_differences(first: Entry, second: Entry, dataset: Dataset) -> tuple[Difference, Difference]:
    """Return by how many points one recorded network is more accurate than another, on the same images.

    The standard errors are those of :func:`labkit.training.paired.paired_difference`.

    Returns:
        The difference on the validation images and that on the test images.

    Raises:
        CheckpointError: if an entry does not record which images were classified correctly.
    """
    validation, test = (
        paired_difference(
            recorded_hits(first, dataset, part),
            recorded_hits(second, dataset, part),
            image_sources(dataset, part),
        )
        for part in PARTS
    )
    return validation, test


def recorded_hits(entry: Entry, dataset: Dataset, part: Part) -> NDArray[np.bool_]:
    """Return for each image of a split whether the network gave it its class, ``(n,)``.

    Raises:
        CheckpointError: if that was not recorded, or for another number of images.
    """
    size, text = getattr(dataset, part).size, (entry.correct or {}).get(part, "")
    packed = np.frombuffer(bytes.fromhex(text), np.uint8)
    if len(packed) != math.ceil(size / 8):
        name = entry.recipe["name"]
        raise CheckpointError(
            f"the manifest does not record which of the {size} {part} images of {dataset.name} {name} "
            f"classifies correctly; train it again: `LABKIT_MODE=full labkit train {name}`."
        )
    return np.unpackbits(packed, count=size).astype(bool)

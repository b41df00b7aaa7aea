"""What the manifest records of a trained network, whatever it was trained on, and how a replay is judged."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.environment import environment_stamp
from labkit.storage.checkpoints import CheckpointError
from labkit.training import EpochRecord, Evaluation
from labkit.training.distributed import current_workers

__all__ = ["compare_prefix", "measured_facts"]

# How far a replayed loss may be from the recorded one, as a share of 1 + its value. docs/decisions.md
# has what other processors do to it, and what the smallest change of a recipe does.
PREFIX_TOLERANCE = 3e-7


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


def measured_facts(
    epochs: Sequence[EpochRecord], *, validation_top1: float, test: Evaluation, loss_prefix: Sequence[float]
) -> dict[str, object]:
    """Return those fields of :class:`labkit.storage.checkpoints.Entry` that a training measures."""
    count = current_workers().count
    return {
        "validation_top1": validation_top1,
        "test_loss": test.loss,
        "test_top1": test.top1,
        "test_top5": test.top5,
        "loss_prefix": loss_prefix,
        "seconds": sum(record.seconds for record in epochs),
        "environment": environment_stamp() | ({"processes": str(count)} if count > 1 else {}),
        "epochs": epochs,
    }
